/* literal: PostgreSQL's array and hstore literals as JSON. Pure.
 *
 *     {1,NULL,3}  ->  [1,null,3]           {{"a b",c},{d,e}}  ->  [["a b","c"],["d","e"]]          [2:3]={t,f}  -> [true,false]
 *     "a"=>"1", "b"=>NULL  ->  {"a":"1","b":null}
 *
 * Elements are numbers, booleans or JSON where their type is; a number that JSON has not (NaN) is a string, like all others.
 * Both add to `out` at most value_room(size) bytes; false: no such literal, and `out` is as before. */
#ifndef SLUICE_POSTGRES_LITERAL_H
#define SLUICE_POSTGRES_LITERAL_H

#include "postgres/types.h"

bool literal_array(const char *data, size_t size, enum pg_kind element, char delimiter, struct text *out);
bool literal_hstore(const char *data, size_t size, struct text *out);

#endif
