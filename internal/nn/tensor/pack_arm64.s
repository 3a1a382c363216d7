#include "go_asm.h"
#include "textflag.h"

// func packNEON(args *packArgs)
// Each row of a block is cut into whole panels of 8 columns, read from left to right.
//
// R0 row of src, R1 its place in the first panel, R2 and R3 running positions, R4 rows
// left, R5 panels left, R6 panels; R7 distance of panels in a row of src, R8 of panels,
// R9 of rows in a panel, R10 of rows of src.
TEXT ·packNEON(SB), NOSPLIT, $0-8
	MOVD args+0(FP), R11
	MOVD packArgs_src(R11), R0
	MOVD packArgs_dst(R11), R1
	MOVD packArgs_rows(R11), R4
	MOVD packArgs_panels(R11), R6
	MOVD packArgs_step(R11), R7
	MOVD packArgs_panelStride(R11), R8
	MOVD packArgs_rowStride(R11), R9
	MOVD packArgs_lds(R11), R10

row:
	MOVD R0, R2
	MOVD R1, R3
	MOVD R6, R5

panel:
	FLDPQ (R2), (F0, F1)
	FSTPQ (F0, F1), (R3)
	ADD R7, R2
	ADD R8, R3
	SUBS $1, R5
	BNE panel
	ADD R10, R0
	ADD R9, R1
	SUBS $1, R4
	BNE row
	RET

// QUARTER transposes the 4×4 block in the rows A, B, C and D: its columns go to P, Q, R
// and S. V16–V19 are overwritten.
#define QUARTER(A, B, C, D, P, Q, R, S) \
	VTRN1 B.S4, A.S4, V16.S4 \
	VTRN2 B.S4, A.S4, V17.S4 \
	VTRN1 D.S4, C.S4, V18.S4 \
	VTRN2 D.S4, C.S4, V19.S4 \
	VTRN1 V18.D2, V16.D2, P.D2 \
	VTRN1 V19.D2, V17.D2, Q.D2 \
	VTRN2 V18.D2, V16.D2, R.D2 \
	VTRN2 V19.D2, V17.D2, S.D2

// func transpose8x8(dst *float32, ldd uintptr, src *float32, lds uintptr, blocks int)
// R3–R10 rows of src, whose eight columns go to V0–V15, two registers a row.
TEXT ·transpose8x8(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD ldd+8(FP), R1
	MOVD src+16(FP), R3
	MOVD lds+24(FP), R2
	MOVD blocks+32(FP), R11
	ADD R2, R3, R4
	ADD R2, R4, R5
	ADD R2, R5, R6
	ADD R2, R6, R7
	ADD R2, R7, R8
	ADD R2, R8, R9
	ADD R2, R9, R10

loop:
	FLDPQ.P 32(R3), (F0, F1)
	FLDPQ.P 32(R4), (F2, F3)
	FLDPQ.P 32(R5), (F4, F5)
	FLDPQ.P 32(R6), (F6, F7)
	FLDPQ.P 32(R7), (F8, F9)
	FLDPQ.P 32(R8), (F10, F11)
	FLDPQ.P 32(R9), (F12, F13)
	FLDPQ.P 32(R10), (F14, F15)
	QUARTER(V0, V2, V4, V6, V20, V22, V24, V26)
	QUARTER(V8, V10, V12, V14, V21, V23, V25, V27)
	FSTPQ (F20, F21), (R0)
	ADD R1, R0
	FSTPQ (F22, F23), (R0)
	ADD R1, R0
	FSTPQ (F24, F25), (R0)
	ADD R1, R0
	FSTPQ (F26, F27), (R0)
	ADD R1, R0
	QUARTER(V1, V3, V5, V7, V20, V22, V24, V26)
	QUARTER(V9, V11, V13, V15, V21, V23, V25, V27)
	FSTPQ (F20, F21), (R0)
	ADD R1, R0
	FSTPQ (F22, F23), (R0)
	ADD R1, R0
	FSTPQ (F24, F25), (R0)
	ADD R1, R0
	FSTPQ (F26, F27), (R0)
	ADD R1, R0
	SUBS $1, R11
	BNE loop
	RET
