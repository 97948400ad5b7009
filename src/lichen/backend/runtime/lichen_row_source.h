/* Where the rows of a model's inputs come from: a camera, a decoder, a file. Inputs that come by rows have no place in the
   arena as a whole; an inference asks for each of their rows when it needs it.

       static bool next_line(void *context, unsigned input, unsigned row, void *destination)
       {
           return camera_line(context, destination);
       }
       ...
       const lichen_row_source source = {&camera, next_line};
       name_infer(&model, &source); */
#ifndef LICHEN_ROW_SOURCE_H
#define LICHEN_ROW_SOURCE_H

#include <stdbool.h>

/* `read` puts a row of an input to `destination`, name_input_row_bytes(input) bytes of the input's type, and returns whether
   it could; where it returns false the inference ends and there are no outputs. Of each input it is asked for the rows 0, 1, 2,
   ... in this order, each once an inference, or, in a model compiled with --rows-again, from row 0 on for every strip of columns;
   rows at the bottom that nothing depends on are not asked for. */
typedef struct {
    void *context; /* handed on to `read` */
    bool (*read)(void *context, unsigned input, unsigned row, void *destination);
} lichen_row_source;

#endif
