/* Constants, packed in the order in which the kernels read them, and the shapes of each call. */
#ifndef STREAMING_WEIGHTS_H
#define STREAMING_WEIGHTS_H

static const int32_t streaming_w_y_geometry[3] LICHEN_FLASH = {
    1, 0, 0,
};

static const lichen_copy_params streaming_p_last = {
    /* bytes */ 8, /* in_flash */ 0,
};

static const lichen_add_s8_params streaming_p_y = {
    /* rows */ 1, /* inner */ 8, /* dimensions */ 1, /* wide_step */ 1, /* narrow_step */ 1, /* wide_in_flash */ 0,
    /* narrow_in_flash */ 0, /* low */ -128, /* high */ 127, /* wide_sign */ 1, /* narrow_sign */ 1,
    /* narrow_shift */ 1, /* out_shift */ 19, /* out_zero */ 0, /* wide_offset */ 5242880, /* narrow_offset */ 10485760,
    /* narrow_mantissa */ 2147483647, /* out_mantissa */ 1073741824, /* out_round */ 262144,
};

static const lichen_copy_params streaming_p_memory = {
    /* bytes */ 8, /* in_flash */ 0,
};

#endif
