/* commands_undef.h: forgets the macros after commands.def was read. No guard: included many times.
 */
#undef COMMAND
#undef ARG
#undef OPT
#undef NOTE
#undef END
