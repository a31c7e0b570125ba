// One row of the table in assets.c. `ASSET` is the file's path from here.
{
  &ASSET[sizeof("../../../") - 1],
  (const unsigned char[]){
#embed ASSET if_empty(0)
  },
  sizeof((const unsigned char[]){
#embed ASSET if_empty(0)
  }),
},
#undef ASSET
