/* undef.h: forgets the words of the wire tables, so that the next reading can give them another
 * meaning. Included after each reading of a table. */
#undef MESSAGE
#undef BODY
#undef RECORD
#undef U8
#undef U16
#undef U32
#undef U64
#undef RANGE8
#undef ID
#undef SECRET
#undef RAW
#undef SPKI
#undef BYTES8
#undef BYTES16
#undef REST
#undef TEXT8
#undef LABEL
#undef LABEL0
#undef IP
#undef ADDR
#undef PREFIX
#undef LIST8
#undef LIST16
#undef END
