/* methods_undef.h: forgets the macros after methods.def was read. No guard: included many times. */
#undef METHOD
#undef PARAM
#undef FIELD
#undef ITEM
#undef FAIL
#undef END
