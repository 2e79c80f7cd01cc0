#include "bad.h"
BAD_DESCRIPTOR(SLUICE_PLUGIN_HEADER, .profile = SLUICE_PARSE, .name = "bad", .version = "1",
               .description = SLUICE_JSON({
                   "http": {"base": "https://api.example.com"},
                   "streams": {"numbers": {"path": "/numbers", "records": {"$function": "streams.numbers.records"}}}
               }));
