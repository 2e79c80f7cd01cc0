/* parsing: the worker in which a parser (parser.h) reads one body after the other, for one reader.
 *
 *     struct parsing_worker parsing = {0};
 *     rc = parsing_open(&parsing, &options, &format, &slice, err);         // a body begins; the worker starts with the first
 *     rc = parsing_next(&parsing, &input, budget, &page, err);             // until the page has no more
 *     parsing_release(&parsing);
 *
 * One thread. After a failure the next body begins anew, if the worker lives. */
#ifndef SLUICE_CONNECTOR_PARSING_H
#define SLUICE_CONNECTOR_PARSING_H

#include "connector/connector.h"
#include "rest/format/format.h"
#include "rest/native.h"

struct parser;
struct worker;

struct parsing_worker {
    const struct parser *parser; /* whose code runs; NULL: none yet */
    struct connector_options options;
    struct connector_grant grant;
    struct worker *worker;
    bool has_session; /* which was not closed */
};

/* `options` (with the parser that `format` names among its `parsers`) must outlive it. */
int parsing_open(struct parsing_worker *parsing, const struct connector_options *options, const struct format *format,
                 const struct native_slice *slice, struct err *err) MUST_USE;
int parsing_next(struct parsing_worker *parsing, const struct native_input *input, struct budget *budget,
                 struct native_page *page, struct err *err) MUST_USE;
void parsing_release(struct parsing_worker *parsing); /* accepts a zeroed one */

#endif
