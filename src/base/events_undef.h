/* Forgets what a reader of events.def defined. Included after it, any number of times. */
#undef EVENT0
#undef EVENT1
#undef EVENT2
#undef EVENT3
#undef EVENT4
