/* What the two ends of the link say to each other; lichen/device/protocol.py is the twin of this file.

   Integers are little endian. Operations come in two kinds. One below 0x80 only reads, so that repeating it does no harm.
   One from 0x80 up changes the device and is answered by a status alone, so that a device which has answered it can answer
   a repetition from the two bytes it remembers, sequence number and status, and needs no second buffer. */
#ifndef LICHEN_PROTOCOL_H
#define LICHEN_PROTOCOL_H

#define LICHEN_PROTOCOL_VERSION 1

/* Most bytes a frame carries between header and CRC; both ends of a link know it from the answer to INFO. */
#ifndef LICHEN_MAX_PAYLOAD
#if defined(__AVR__)
#define LICHEN_MAX_PAYLOAD 64
#else
#define LICHEN_MAX_PAYLOAD 512
#endif
#endif

#define LICHEN_HEADER_BYTES 2
#define LICHEN_CRC_BYTES 4

enum {
    /* request payload -> reply payload */
    LICHEN_INFO = 0x01,        /* nothing -> u8 version, u8 features, u16 max payload, u8 inputs, u8 outputs, u64 model
                                  digest, u32 arena bytes, and the model's name, cut to what fits. The first request of
                                  every connection. */
    LICHEN_TENSORS = 0x02,     /* u8 first -> u32 bytes of each input, then of each output, from number `first` on; as
                                  many as fit */
    LICHEN_READ_OUTPUT = 0x03, /* u8 index, u32 offset, u16 count -> the bytes */
    LICHEN_STACK = 0x04,       /* nothing -> u32 bytes of stack used at the deepest point since the reset */
    LICHEN_COUNTERS = 0x05,    /* nothing -> u32 requests, u32 repeated, u32 damaged, u32 oversized */
    LICHEN_READ_ARENA = 0x06,  /* validating builds: u32 offset, u16 count -> the bytes */
    LICHEN_READ_STATE = 0x07,  /* models with state: u32 offset, u16 count -> the bytes of the state's blob (lichen_state.h) */
    LICHEN_LESSONS = 0x08,     /* models that learn: nothing -> u32 samples taken since BEGIN, u32 those with a loss, f32 its sum */
    LICHEN_ROWS = 0x09,        /* models whose inputs come by rows: u8 first -> u32 bytes of a row of each input from number `first`
                                  on, 0 for one that is written whole; as many as fit */
    LICHEN_WANTED = 0x0A,      /* the same models: nothing -> u8 index, u32 offset of the next byte that the inference waits for;
                                  nothing if none does */

    LICHEN_CHANGES = 0x80,     /* the bit of operations that change the device */
    LICHEN_WRITE_INPUT = 0x81, /* u8 index, u32 offset, bytes. In order: offset 0 starts over, any other continues where
                                  the last piece ended. Of an input that comes by rows: pieces of the row that is wanted */
    LICHEN_INFER = 0x82,       /* nothing. Needs every input whole but those that come by rows; uses the inputs up. Is answered
                                  when the inference has ended, or waits for a row; then the last piece of each row is */
    LICHEN_RESET = 0x83,       /* nothing. The model's state to its initial values */
    LICHEN_RUN_UNTIL = 0x84,   /* validating builds: u16 k. As INFER, but stops before kernel call k */
    LICHEN_CHECK_STATE = 0x85, /* models with state: u32 offset, bytes of a blob, in order as for WRITE_INPUT, the first piece
                                  with its whole header. Changes no state; the last piece tells whether the blob is good */
    LICHEN_WRITE_STATE = 0x86, /* the same pieces once more, after CHECK_STATE has found them good: the state becomes the
                                  blob's. From the first piece to the last the state is torn */
    LICHEN_SAVE = 0x87,        /* nothing. The state to storage; models with state on machines that have storage */
    LICHEN_LOAD = 0x88,        /* nothing. The state from storage */
    LICHEN_BEGIN = 0x89,       /* models that learn: f32 learning rate. Sets the rate and counts lessons anew */
    LICHEN_LEARN = 0x8A        /* models that learn: whole samples, each the bytes of all inputs of `learn`; or nothing, which
                                  learns from the inputs that were written as inputs `inputs` and up. Uses all inputs up */
};

enum {
    LICHEN_FEATURE_VALIDATE = 0x01, /* has RUN_UNTIL and READ_ARENA */
    LICHEN_FEATURE_STATE = 0x02,    /* has READ_STATE, CHECK_STATE and WRITE_STATE */
    LICHEN_FEATURE_STORAGE = 0x04,  /* has SAVE and LOAD */
    LICHEN_FEATURE_LEARN = 0x08,    /* has LESSONS, BEGIN and LEARN */
    LICHEN_FEATURE_ROWS = 0x10      /* has ROWS and WANTED. While an inference waits for a row it reads what has changed no tensor, takes
                                       the row, and answers all else NOT_READY; but INFO and RESET end the inference */
};

/* All but OK are refusals, and a refused request has changed nothing. */
enum {
    LICHEN_OK = 0,
    LICHEN_UNKNOWN_OPERATION = 1,
    LICHEN_BAD_LENGTH = 2,    /* the request's payload is too short or too long */
    LICHEN_BAD_INDEX = 3,     /* no input or output of that number */
    LICHEN_BAD_RANGE = 4,     /* offset and count reach outside the tensor or the arena, or are more than a frame carries */
    LICHEN_NOT_READY = 5,     /* INFER before every input is written; READ_OUTPUT when there is no inference to read from;
                                 WRITE_STATE without a CHECK_STATE before; a row that is not wanted, or anything that has to wait
                                 for the end of the inference that waits for one */
    LICHEN_NOT_CONNECTED = 6, /* no INFO since the device was reset */
    /* What is wrong with the blob that was sent or saved, in the order of lichen_state_status */
    LICHEN_NOTHING_SAVED = 7,
    LICHEN_DAMAGED_STATE = 8,
    LICHEN_OTHER_VERSION = 9,
    LICHEN_OTHER_MODEL = 10,
    LICHEN_WRONG_LENGTH = 11,
    LICHEN_TOO_LARGE = 12,
    LICHEN_STORAGE_FAILED = 13, /* after LOAD the model has its initial state */
    LICHEN_STATE_TORN = 14,     /* a WRITE_STATE has not come to its end; write, load or reset the state */
    /* What is wrong with a sample, in the order of lichen_lesson_status. It has changed nothing, and none behind it was looked at;
       those before it in the same request are learned. */
    LICHEN_NOT_FINITE = 15,
    LICHEN_NO_SUCH_CLASS = 16,
    LICHEN_TOO_MANY_CLASSES = 17,
    LICHEN_DIVERGED = 18,       /* parameters are as they were; statistics of the sample's features may have been taken */
    LICHEN_BAD_RATE = 19,       /* a learning rate that is no finite number from 0 */
    LICHEN_DAMAGED_WEIGHTS = 20 /* the coded weights in flash do not have their CRC; nothing is inferred or learned */
};

#endif
