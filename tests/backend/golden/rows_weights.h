/* Constants, packed in the order in which the kernels read them, and the shapes of each call. */
#ifndef ROWS_WEIGHTS_H
#define ROWS_WEIGHTS_H

static const int8_t rows_w_between_weights[72] LICHEN_FLASH = {
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
};

static const int32_t rows_w_between_bias[8] LICHEN_FLASH = {
    0, 0, 0, 0, 0, 0, 0, 0,
};

static const int32_t rows_w_between_multiplier[8] LICHEN_FLASH = {
    1374389535, 1374389535, 1374389535, 1374389535, 1374389535, 1374389535, 1374389535, 1374389535,
};

static const int8_t rows_w_between_shift[8] LICHEN_FLASH = {
    -6, -6, -6, -6, -6, -6, -6, -6,
};

static const int32_t rows_w_y_bias[1] LICHEN_FLASH = {
    0,
};

static const int32_t rows_w_y_multiplier[1] LICHEN_FLASH = {
    1374389535,
};

static const int8_t rows_w_y_shift[1] LICHEN_FLASH = {
    -6,
};

static const int8_t rows_w_y_rows_schedule[48] LICHEN_FLASH = {
    0, 0, 1, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2,
    0, 1, 2, 0, 1, 2, 1, 2, 2,
};

static const lichen_conv2d_s8_params rows_p_between = {
    /* in_length */ 16, /* out_length */ 128, /* in_h */ 16, /* in_w */ 16, /* in_c */ 1, /* out_w */ 16, /* out_c */ 8,
    /* kernel_h */ 3, /* kernel_w */ 3, /* stride_h */ 1, /* stride_w */ 1, /* dilation_h */ 1, /* dilation_w */ 1,
    /* pad_top */ 1, /* pad_left */ 1, /* in_zero */ 0, /* out_zero */ 0, /* low */ -128, /* high */ 127, /* block */ 4,
};

static const lichen_conv2d_s8_params rows_p_y = {
    /* in_length */ 128, /* out_length */ 16, /* in_h */ 16, /* in_w */ 16, /* in_c */ 8, /* out_w */ 16, /* out_c */ 1,
    /* kernel_h */ 3, /* kernel_w */ 3, /* stride_h */ 1, /* stride_w */ 1, /* dilation_h */ 1, /* dilation_w */ 1,
    /* pad_top */ 1, /* pad_left */ 1, /* in_zero */ 0, /* out_zero */ 0, /* low */ -128, /* high */ 127, /* block */ 4,
};

#endif
