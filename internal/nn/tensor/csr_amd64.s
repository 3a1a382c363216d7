#include "go_asm.h"
#include "textflag.h"

// Rows of a sparse matrix times a dense one. For each row and each block of columns
// the sum stays in registers; the dense rows that coming entries need are prefetched,
// also across the end of a row.
//
// SI dense matrix, at the block's first column; CX distance of its rows;
// DI indices, DX values, BX position in the row pointers; R8 output row, at the block;
// R9 entry, R10 end of the row's entries; R11 bytes of the row left; R12 arguments;
// R13, AX scratch; R15 rows left.

#define ENTRY \
	MOVLQSX (DI)(R9*4), AX \
	IMULQ CX, AX           \
	LEAQ 12(R9), R13       \
	CMPQ R13, spmmArgs_last(R12) \
	CMOVQGT spmmArgs_last(R12), R13 \
	MOVLQSX (DI)(R13*4), R13 \
	IMULQ CX, R13

#define PREFETCH \
	PREFETCHT0 (SI)(R13*1)    \
	PREFETCHT0 64(SI)(R13*1)  \
	PREFETCHT0 128(SI)(R13*1) \
	PREFETCHT0 192(SI)(R13*1)

#define BEGIN \
	MOVQ args+0(FP), R12          \
	MOVQ spmmArgs_indices(R12), DI \
	MOVQ spmmArgs_values(R12), DX \
	MOVQ spmmArgs_indptr(R12), BX \
	MOVQ spmmArgs_rows(R12), R15  \
	MOVQ spmmArgs_ldx(R12), CX    \
	MOVQ spmmArgs_dst(R12), R8

// func spmmAVX512(args *spmmArgs)
TEXT ·spmmAVX512(SB), NOSPLIT, $0-8
	BEGIN

row:
	MOVQ (BX), R9
	MOVQ 8(BX), R10
	MOVQ spmmArgs_x(R12), SI
	MOVQ spmmArgs_width(R12), R11

whole:
	CMPQ R11, $256
	JLT part
	MOVQ (BX), R9
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	CMPQ R9, R10
	JGE wholeDone

wholeEntry:
	ENTRY
	PREFETCH
	VBROADCASTSS (DX)(R9*4), Z4
	VFMADD231PS (SI)(AX*1), Z4, Z0
	VFMADD231PS 64(SI)(AX*1), Z4, Z1
	VFMADD231PS 128(SI)(AX*1), Z4, Z2
	VFMADD231PS 192(SI)(AX*1), Z4, Z3
	INCQ R9
	CMPQ R9, R10
	JLT wholeEntry

wholeDone:
	VMOVUPS Z0, (R8)
	VMOVUPS Z1, 64(R8)
	VMOVUPS Z2, 128(R8)
	VMOVUPS Z3, 192(R8)
	ADDQ $256, R8
	ADDQ $256, SI
	SUBQ $256, R11
	JMP whole

part:
	TESTQ R11, R11
	JEQ next
	KMOVW spmmArgs_mask(R12), K1
	KMOVW spmmArgs_mask+2(R12), K2
	KMOVW spmmArgs_mask+4(R12), K3
	KMOVW spmmArgs_mask+6(R12), K4
	MOVQ (BX), R9
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	CMPQ R9, R10
	JGE partDone

partEntry:
	MOVLQSX (DI)(R9*4), AX
	IMULQ CX, AX
	VBROADCASTSS (DX)(R9*4), Z4
	VFMADD231PS (SI)(AX*1), Z4, K1, Z0
	VFMADD231PS 64(SI)(AX*1), Z4, K2, Z1
	VFMADD231PS 128(SI)(AX*1), Z4, K3, Z2
	VFMADD231PS 192(SI)(AX*1), Z4, K4, Z3
	INCQ R9
	CMPQ R9, R10
	JLT partEntry

partDone:
	VMOVUPS Z0, K1, (R8)
	VMOVUPS Z1, K2, 64(R8)
	VMOVUPS Z2, K3, 128(R8)
	VMOVUPS Z3, K4, 192(R8)
	ADDQ R11, R8

next:
	ADDQ $8, BX
	DECQ R15
	JNE row
	VZEROUPPER
	RET

// func spmmAVX2(args *spmmArgs)
// The width is a multiple of 8 columns; the rest of an output row is left alone.
TEXT ·spmmAVX2(SB), NOSPLIT, $0-8
	BEGIN

row:
	MOVQ (BX), R9
	MOVQ 8(BX), R10
	MOVQ spmmArgs_x(R12), SI
	MOVQ spmmArgs_width(R12), R11

whole:
	CMPQ R11, $256
	JLT eight
	MOVQ (BX), R9
	VXORPS X0, X0, X0
	VXORPS X1, X1, X1
	VXORPS X2, X2, X2
	VXORPS X3, X3, X3
	VXORPS X4, X4, X4
	VXORPS X5, X5, X5
	VXORPS X6, X6, X6
	VXORPS X7, X7, X7
	CMPQ R9, R10
	JGE wholeDone

wholeEntry:
	ENTRY
	PREFETCH
	VBROADCASTSS (DX)(R9*4), Y8
	VFMADD231PS (SI)(AX*1), Y8, Y0
	VFMADD231PS 32(SI)(AX*1), Y8, Y1
	VFMADD231PS 64(SI)(AX*1), Y8, Y2
	VFMADD231PS 96(SI)(AX*1), Y8, Y3
	VFMADD231PS 128(SI)(AX*1), Y8, Y4
	VFMADD231PS 160(SI)(AX*1), Y8, Y5
	VFMADD231PS 192(SI)(AX*1), Y8, Y6
	VFMADD231PS 224(SI)(AX*1), Y8, Y7
	INCQ R9
	CMPQ R9, R10
	JLT wholeEntry

wholeDone:
	VMOVUPS Y0, (R8)
	VMOVUPS Y1, 32(R8)
	VMOVUPS Y2, 64(R8)
	VMOVUPS Y3, 96(R8)
	VMOVUPS Y4, 128(R8)
	VMOVUPS Y5, 160(R8)
	VMOVUPS Y6, 192(R8)
	VMOVUPS Y7, 224(R8)
	ADDQ $256, R8
	ADDQ $256, SI
	SUBQ $256, R11
	JMP whole

eight:
	TESTQ R11, R11
	JEQ next
	MOVQ (BX), R9
	VXORPS X0, X0, X0
	CMPQ R9, R10
	JGE eightDone

eightEntry:
	MOVLQSX (DI)(R9*4), AX
	IMULQ CX, AX
	VBROADCASTSS (DX)(R9*4), Y8
	VFMADD231PS (SI)(AX*1), Y8, Y0
	INCQ R9
	CMPQ R9, R10
	JLT eightEntry

eightDone:
	VMOVUPS Y0, (R8)
	ADDQ $32, R8
	ADDQ $32, SI
	SUBQ $32, R11
	JMP eight

next:
	ADDQ spmmArgs_skip(R12), R8
	ADDQ $8, BX
	DECQ R15
	JNE row
	VZEROUPPER
	RET
