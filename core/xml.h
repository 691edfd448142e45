/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xml: a reader for the XML that services answer with: elements, attributes, text, CDATA, comments, the predefined entities and numeric
 * ones (XML 1.0). Attributes are checked and left out; of a qualified name only the local part is told. There are no document types:
 * what they can do (entities of one's own, other files) is refused.
 */
#ifndef TIDEGATE_CORE_XML_H
#define TIDEGATE_CORE_XML_H

#include "core/base.h"

enum { XML_DEPTH_MAX = 32 /* elements within each other */ };
enum xml_kind { XML_END, XML_OPEN, XML_CLOSE, XML_TEXT };

/* Zero-initialise, with `text`, which must live as long. */
struct xml_reader {
	str text;
	size_t at;                 /* how far it has come */
	unsigned depth;            /* elements that are open */
	str open[XML_DEPTH_MAX];   /* their names as written */
	bool closes;               /* an empty-element tag was told as XML_OPEN: its XML_CLOSE is next */
	bool began;                /* the root element was there */
};

/*
 * What comes next: an enum xml_kind; *out is the local name of an element, or text with its entities replaced (a part of `text`, or in `a`).
 * One run of characters is one text, but where a comment or CDATA begins. White space outside the root is left out. XML_END once the root
 * has ended, and nothing but comments is behind it. -1 (ERR_INVALID, ERR_LIMIT, ERR_UNSUPPORTED) with the line.
 */
int xml_next(struct xml_reader *x, struct arena *a, str *out, struct err *e) MUST_CHECK;

/* A child element by its name, and where its text goes. */
struct xml_field {
	const char *name;
	str *out;
};
/*
 * Goes on to the next element of that name, wherever it is, and reads it to its end: the text of the children that `fields` name, in `a`;
 * absent where there is none, the first where there are several. Children with children of their own have no text, and theirs are not looked at.
 * 1: there was one; 0: none is left; -1: as xml_next.
 */
int xml_record(struct xml_reader *x, const char *element, const struct xml_field *fields, size_t n, struct arena *a, struct err *e) MUST_CHECK;
/* The text of the first element of that name, in `a`; absent if there is none, or if `text` is broken before its end. */
str xml_find(str text, const char *element, struct arena *a);

/* Appends `text` as the content of an element. */
void xml_escape(struct buf *b, str text);

#endif
