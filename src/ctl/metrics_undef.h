/* metrics_undef.h: forgets the macros after metrics.def was read. No guard: included many times. */
#undef GROUP
#undef METRIC
#undef LABELLED
#undef END
