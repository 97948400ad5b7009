/* Constants, packed in the order in which the kernels read them, and the shapes of each call. */
#ifndef CONV_WEIGHTS_H
#define CONV_WEIGHTS_H

static const int8_t conv_w_y_weights[162] LICHEN_FLASH = {
    89, -119, 78, 18, 35, 68, 123, -63, 3, 59, -31, -45, -59, 88, 47, 56, -49, -83, 115, 24, -117, -105, 38, 1, -108,
    93, 87, -41, -123, -122, 48, 66, -83, 11, 52, -28, 80, -107, -28, -44, 38, -51, 96, 100, 105, -5, -93, -60, 1, -20,
    20, -70, 27, -25, 56, 55, 120, -120, 88, 31, 59, -126, 6, -115, 34, -96, -32, -106, 11, -125, -48, -31, 15, 44, -20,
    85, 111, 7, -4, -25, -57, 38, 56, 73, 81, -62, 99, -47, 44, 29, -109, -66, -127, 67, 111, 74, -27, -30, 8, 96, 91,
    -10, -36, -107, 14, 127, 44, -113, 44, -42, 19, -89, 92, -13, 101, 76, 52, -69, 68, -114, 18, -24, 127, -77, 114,
    -104, 31, 20, 102, -51, 103, 44, 100, -77, 66, 113, -115, -34, 35, -101, 3, 33, 67, 109, -23, -15, -7, 116, -78, 0,
    -115, -19, 114, 31, -38, 126, 26, 114, -123, -10, 85, 66,
};

static const int32_t conv_w_y_bias[6] LICHEN_FLASH = {
    531, -1728, 2233, -817, 1281, 1365,
};

static const int32_t conv_w_y_multiplier[6] LICHEN_FLASH = {
    1374389535, 1374389535, 1374389535, 1374389535, 1374389535, 1374389535,
};

static const int8_t conv_w_y_shift[6] LICHEN_FLASH = {
    -8, -8, -8, -8, -8, -8,
};

static const lichen_conv2d_s8_params conv_p_y = {
    /* in_length */ 21, /* out_length */ 42, /* in_h */ 6, /* in_w */ 7, /* in_c */ 3, /* out_w */ 7, /* out_c */ 6,
    /* kernel_h */ 3, /* kernel_w */ 3, /* stride_h */ 1, /* stride_w */ 1, /* dilation_h */ 1, /* dilation_w */ 1,
    /* pad_top */ 1, /* pad_left */ 1, /* in_zero */ -3, /* out_zero */ 4, /* low */ 4, /* high */ 127, /* block */ 4,
};

#endif
