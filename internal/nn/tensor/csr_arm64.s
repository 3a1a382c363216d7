#include "go_asm.h"
#include "textflag.h"

// Rows of a sparse matrix times a dense one, as in csr_amd64.s: for each row and each
// block of columns the sum stays in registers, V0–V15, and the dense rows that coming
// entries need are prefetched. V16 is the entry's value, V17–V28 parts of a dense row.
//
// R0 position in the row pointers; R1 indices, R2 values; R3 output row, at the block;
// R4 dense matrix, at the block's first column; R5 distance of its rows; R6 rows left;
// R7 bytes of the row left; R8 arguments; R9 entry, R10 end of the row's entries;
// R11 and R12 scratch; R13 last entry of the matrix; R14 bytes to skip.

#define CLEAR(V) VEOR V.B16, V.B16, V.B16

// ENTRY sets R11 on the dense row of entry R9 and V16 to its value.
#define ENTRY \
	MOVW (R1)(R9<<2), R11  \
	MADD R5, R4, R11, R11  \
	FMOVS (R2)(R9<<2), F16 \
	VDUP V16.S[0], V16.S4

// AHEAD prefetches the dense row of the entry 12 further on.
#define AHEAD \
	ADD $12, R9, R12         \
	CMP R13, R12             \
	CSEL GT, R13, R12, R12   \
	MOVW (R1)(R12<<2), R12   \
	MADD R5, R4, R12, R12    \
	PRFM (R12), PLDL1KEEP    \
	PRFM 64(R12), PLDL1KEEP  \
	PRFM 128(R12), PLDL1KEEP \
	PRFM 192(R12), PLDL1KEEP

// func spmmVector(args *spmmArgs)
// The width is a multiple of 8 columns; the rest of an output row is left alone.
TEXT ·spmmVector(SB), NOSPLIT, $0-8
	MOVD args+0(FP), R8
	MOVD spmmArgs_indptr(R8), R0
	MOVD spmmArgs_indices(R8), R1
	MOVD spmmArgs_values(R8), R2
	MOVD spmmArgs_dst(R8), R3
	MOVD spmmArgs_ldx(R8), R5
	MOVD spmmArgs_rows(R8), R6
	MOVD spmmArgs_last(R8), R13
	MOVD spmmArgs_skip(R8), R14

row:
	MOVD 8(R0), R10
	MOVD spmmArgs_x(R8), R4
	MOVD spmmArgs_width(R8), R7

whole:
	CMP $256, R7
	BLT eight
	MOVD (R0), R9
	CLEAR(V0)
	CLEAR(V1)
	CLEAR(V2)
	CLEAR(V3)
	CLEAR(V4)
	CLEAR(V5)
	CLEAR(V6)
	CLEAR(V7)
	CLEAR(V8)
	CLEAR(V9)
	CLEAR(V10)
	CLEAR(V11)
	CLEAR(V12)
	CLEAR(V13)
	CLEAR(V14)
	CLEAR(V15)
	CMP R10, R9
	BGE wholeDone

wholeEntry:
	AHEAD
	ENTRY
	VLD1.P 64(R11), [V17.S4, V18.S4, V19.S4, V20.S4]
	VLD1.P 64(R11), [V21.S4, V22.S4, V23.S4, V24.S4]
	VLD1.P 64(R11), [V25.S4, V26.S4, V27.S4, V28.S4]
	VFMLA V17.S4, V16.S4, V0.S4
	VFMLA V18.S4, V16.S4, V1.S4
	VFMLA V19.S4, V16.S4, V2.S4
	VFMLA V20.S4, V16.S4, V3.S4
	VLD1 (R11), [V17.S4, V18.S4, V19.S4, V20.S4]
	VFMLA V21.S4, V16.S4, V4.S4
	VFMLA V22.S4, V16.S4, V5.S4
	VFMLA V23.S4, V16.S4, V6.S4
	VFMLA V24.S4, V16.S4, V7.S4
	VFMLA V25.S4, V16.S4, V8.S4
	VFMLA V26.S4, V16.S4, V9.S4
	VFMLA V27.S4, V16.S4, V10.S4
	VFMLA V28.S4, V16.S4, V11.S4
	VFMLA V17.S4, V16.S4, V12.S4
	VFMLA V18.S4, V16.S4, V13.S4
	VFMLA V19.S4, V16.S4, V14.S4
	VFMLA V20.S4, V16.S4, V15.S4
	ADD $1, R9
	CMP R10, R9
	BLT wholeEntry

wholeDone:
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R3)
	VST1.P [V4.S4, V5.S4, V6.S4, V7.S4], 64(R3)
	VST1.P [V8.S4, V9.S4, V10.S4, V11.S4], 64(R3)
	VST1.P [V12.S4, V13.S4, V14.S4, V15.S4], 64(R3)
	ADD $256, R4
	SUB $256, R7
	B whole

eight:
	CBZ R7, next
	MOVD (R0), R9
	CLEAR(V0)
	CLEAR(V1)
	CMP R10, R9
	BGE eightDone

eightEntry:
	ENTRY
	VLD1 (R11), [V17.S4, V18.S4]
	VFMLA V17.S4, V16.S4, V0.S4
	VFMLA V18.S4, V16.S4, V1.S4
	ADD $1, R9
	CMP R10, R9
	BLT eightEntry

eightDone:
	VST1.P [V0.S4, V1.S4], 32(R3)
	ADD $32, R4
	SUB $32, R7
	B eight

next:
	ADD R14, R3
	ADD $8, R0
	SUBS $1, R6
	BNE row
	RET
