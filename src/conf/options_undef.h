/* options_undef.h: forgets the macros after options.def was read. No guard: included many times. */
#undef SECTION
#undef OPTION
#undef END
