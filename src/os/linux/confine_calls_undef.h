/* After including os/linux/confine_calls.def. */
#undef ALLOW
#undef ALLOW_IF
#undef ABSENT
#undef KILL
