#include "go_asm.h"
#include "textflag.h"

// The pack kernels cut each row of a block into panels of one or two vectors: they
// read a row from left to right, as the prefetcher likes it, and write to as many
// streams as there are panels. The last panel is filled up with zeros.
//
// SI row of src, DI its place in the first panel, R8/R9 running positions,
// CX rows left, R10 panels left.

#define ARGS \
	MOVQ args+0(FP), DX             \
	MOVQ packArgs_dst(DX), DI       \
	MOVQ packArgs_src(DX), SI       \
	MOVQ packArgs_rows(DX), CX      \
	MOVQ packArgs_panelStride(DX), R11 \
	MOVQ packArgs_step(DX), R12     \
	MOVQ packArgs_rowStride(DX), R13 \
	MOVQ packArgs_lds(DX), BX       \
	MOVQ packArgs_panels(DX), AX    \
	DECQ AX

#define NEXTROW \
	ADDQ BX, SI  \
	ADDQ R13, DI \
	DECQ CX

// func packOneAVX512(args *packArgs)
TEXT ·packOneAVX512(SB), NOSPLIT, $0-8
	ARGS
	KMOVW packArgs_mask(DX), K1
	KMOVW packArgs_lastMask(DX), K2

row:
	MOVQ SI, R8
	MOVQ DI, R9
	MOVQ AX, R10
	TESTQ R10, R10
	JEQ last

panel:
	PREFETCHT0 2048(R8)
	VMOVUPS.Z (R8), K1, Z0
	VMOVUPS Z0, (R9)
	ADDQ R12, R8
	ADDQ R11, R9
	DECQ R10
	JNE panel

last:
	VMOVUPS.Z (R8), K2, Z0
	VMOVUPS Z0, (R9)
	NEXTROW
	JNE row
	VZEROUPPER
	RET

// func packTwoAVX512(args *packArgs)
TEXT ·packTwoAVX512(SB), NOSPLIT, $0-8
	ARGS
	KMOVW packArgs_lastMask(DX), K1
	KMOVW packArgs_lastMask+2(DX), K2

row:
	MOVQ SI, R8
	MOVQ DI, R9
	MOVQ AX, R10
	TESTQ R10, R10
	JEQ last

panel:
	PREFETCHT0 2048(R8)
	PREFETCHT0 2112(R8)
	VMOVUPS (R8), Z0
	VMOVUPS 64(R8), Z1
	VMOVUPS Z0, (R9)
	VMOVUPS Z1, 64(R9)
	ADDQ R12, R8
	ADDQ R11, R9
	DECQ R10
	JNE panel

last:
	VMOVUPS.Z (R8), K1, Z0
	VMOVUPS.Z 64(R8), K2, Z1
	VMOVUPS Z0, (R9)
	VMOVUPS Z1, 64(R9)
	NEXTROW
	JNE row
	VZEROUPPER
	RET

// func packOneAVX2(args *packArgs)
TEXT ·packOneAVX2(SB), NOSPLIT, $0-8
	ARGS
	VMOVUPS packArgs_mask8(DX), Y6
	VMOVUPS packArgs_lastMask8(DX), Y7

row:
	MOVQ SI, R8
	MOVQ DI, R9
	MOVQ AX, R10
	TESTQ R10, R10
	JEQ last

panel:
	VMASKMOVPS (R8), Y6, Y0
	VMOVUPS Y0, (R9)
	ADDQ R12, R8
	ADDQ R11, R9
	DECQ R10
	JNE panel

last:
	VMASKMOVPS (R8), Y7, Y0
	VMOVUPS Y0, (R9)
	NEXTROW
	JNE row
	VZEROUPPER
	RET

// func packTwoAVX2(args *packArgs)
TEXT ·packTwoAVX2(SB), NOSPLIT, $0-8
	ARGS
	VMOVUPS packArgs_lastMask8(DX), Y6
	VMOVUPS packArgs_lastMask8+32(DX), Y7

row:
	MOVQ SI, R8
	MOVQ DI, R9
	MOVQ AX, R10
	TESTQ R10, R10
	JEQ last

panel:
	VMOVUPS (R8), Y0
	VMOVUPS 32(R8), Y1
	VMOVUPS Y0, (R9)
	VMOVUPS Y1, 32(R9)
	ADDQ R12, R8
	ADDQ R11, R9
	DECQ R10
	JNE panel

last:
	VMASKMOVPS (R8), Y6, Y0
	VMASKMOVPS 32(R8), Y7, Y1
	VMOVUPS Y0, (R9)
	VMOVUPS Y1, 32(R9)
	NEXTROW
	JNE row
	VZEROUPPER
	RET
