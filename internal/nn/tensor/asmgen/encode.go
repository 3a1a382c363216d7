package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// neon writes assembly for arm64. Its lines are Go assembly plus instructions that Go's
// assembler does not know, in the same notation: operands from right to left, so that
//
//	VFSUB V2.S4, V1.S4, V0.S4
//
// is V0 = V1 - V2. The latter become WORDs with the line as comment.
type neon struct{ out *bytes.Buffer }

// p writes lines, encoding what Go's assembler does not know.
func (g *neon) p(format string, a ...any) {
	for line := range strings.Lines(fmt.Sprintf(format, a...) + "\n") {
		line = strings.TrimRight(line, "\n")
		if code, known := encode(line); known {
			instruction, comment, _ := strings.Cut(strings.TrimSpace(line), "//")
			line = strings.TrimRight(fmt.Sprintf("\tWORD $0x%08x // %s %s", code, strings.TrimSpace(instruction), strings.TrimSpace(comment)), " ")
		}
		fmt.Fprintln(g.out, line)
	}
}

// form is the encoding of an instruction whose operands have given kinds.
type form struct {
	class           func(f form, o []int) uint32
	u, size, opcode uint32
}

// forms are the instructions that are encoded here: mnemonic and kinds of operands.
var forms = map[string]form{
	"VFADD S4 S4 S4":  {threeSame, 0, 0, 0b11010},
	"VFADD D2 D2 D2":  {threeSame, 0, 1, 0b11010},
	"VFSUB S4 S4 S4":  {threeSame, 0, 2, 0b11010},
	"VFSUB D2 D2 D2":  {threeSame, 0, 3, 0b11010},
	"VFMUL S4 S4 S4":  {threeSame, 1, 0, 0b11011},
	"VFDIV S4 S4 S4":  {threeSame, 1, 0, 0b11111},
	"VFMAX S4 S4 S4":  {threeSame, 0, 0, 0b11110}, // NaN where an operand is
	"VFMIN S4 S4 S4":  {threeSame, 0, 2, 0b11110}, // likewise
	"VFCMGE S4 S4 S4": {threeSame, 1, 0, 0b11100}, // all ones where second ≥ first, ordered
	"VFCMGT S4 S4 S4": {threeSame, 1, 2, 0b11100}, // all ones where second > first, ordered
	"VFABS S4 S4":     {twoRegisters, 0, 2, 0b01111},
	"VFNEG S4 S4":     {twoRegisters, 1, 2, 0b01111},
	"VFSQRT S4 S4":    {twoRegisters, 1, 2, 0b11111},
	"VFRINTN S4 S4":   {twoRegisters, 0, 0, 0b11000}, // to the nearest integer, ties to even
	"VFCVTNS S4 S4":   {twoRegisters, 0, 0, 0b11010}, // likewise, as int32
	"VFCVTL S2 D2":    {lower(twoRegisters), 0, 1, 0b10111},
	"VFCVTL2 S4 D2":   {twoRegisters, 0, 1, 0b10111},
	"VFADDP S2 F":     {scalarPairwise, 1, 0, 0b01101}, // sum of two lanes
	"VFADDP D2 F":     {scalarPairwise, 1, 1, 0b01101},
	"VSSHR $ S4 S4":   {shiftRight(32, 64), 0, 0, 0b00000},
	"VSHRN $ H8 B8":   {lower(shiftRight(8, 16)), 0, 0, 0b10000}, // halfwords to bytes
	"VFMLA S[] S4 S4": {byElement, 0, 2, 0b0001},                 // Go knows the other form
}

var operand = regexp.MustCompile(`^(?:V(\d+)\.([BHSD]\d+)|V(\d+)\.S\[([0-3])\]|F(\d+)|\$(\d+))$`)

// encode returns the code of a line that holds one of forms.
func encode(line string) (code uint32, known bool) {
	line, _, _ = strings.Cut(line, "//")
	mnemonic, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	key := mnemonic
	var values []int
	for _, text := range strings.Split(rest, ",") {
		m := operand.FindStringSubmatch(strings.TrimSpace(text))
		if m == nil {
			return 0, false
		}
		number := func(s string) int { n, _ := strconv.Atoi(s); return n }
		switch {
		case m[2] != "":
			key, values = key+" "+m[2], append(values, number(m[1]))
		case m[3] != "":
			key, values = key+" S[]", append(values, number(m[3]), number(m[4]))
		case m[5] != "":
			key, values = key+" F", append(values, number(m[5]))
		default:
			key, values = key+" $", append(values, number(m[6]))
		}
	}
	f, known := forms[key]
	if !known {
		return 0, false
	}
	return f.class(f, values), true
}

// Classes of the Arm Architecture Reference Manual, C4.1 "Data processing: scalar
// floating point and Advanced SIMD". Bit 30, Q, asks for whole registers.
const wholeRegister = 1 << 30

// threeSame: 0 Q U 01110 size 1 Rm opcode 1 Rn Rd.
func threeSame(f form, o []int) uint32 {
	return wholeRegister | f.u<<29 | 0b01110<<24 | f.size<<22 | 1<<21 | reg(o[0])<<16 | f.opcode<<11 | 1<<10 | reg(o[1])<<5 | reg(o[2])
}

// twoRegisters: 0 Q U 01110 size 10000 opcode 10 Rn Rd ("two-register miscellaneous").
func twoRegisters(f form, o []int) uint32 {
	return wholeRegister | f.u<<29 | 0b01110<<24 | f.size<<22 | 0b10000<<17 | f.opcode<<12 | 0b10<<10 | reg(o[0])<<5 | reg(o[1])
}

// scalarPairwise: 01 U 11110 size 11000 opcode 10 Rn Rd.
func scalarPairwise(f form, o []int) uint32 {
	return 1<<30 | f.u<<29 | 0b11110<<24 | f.size<<22 | 0b11000<<17 | f.opcode<<12 | 0b10<<10 | reg(o[0])<<5 | reg(o[1])
}

// shiftRight: 0 Q U 011110 immh immb opcode 1 Rn Rd, where immh:immb is base - shift and
// tells the width of a lane too ("shift by immediate").
func shiftRight(most, base int) func(form, []int) uint32 {
	return func(f form, o []int) uint32 {
		if o[0] < 1 || o[0] > most {
			panic(fmt.Sprintf("asmgen: shift by %d", o[0]))
		}
		return wholeRegister | f.u<<29 | 0b011110<<23 | uint32(base-o[0])<<16 | f.opcode<<11 | 1<<10 | reg(o[1])<<5 | reg(o[2])
	}
}

// byElement: 0 Q U 01111 size L M Rm opcode H 0 Rn Rd, where H:L is the lane and M the
// highest bit of the register ("vector × indexed element", lanes of 32 bits).
func byElement(f form, o []int) uint32 {
	m, lane := reg(o[0]), uint32(o[1])
	return wholeRegister | f.u<<29 | 0b01111<<24 | f.size<<22 | lane&1<<21 | m<<16 | f.opcode<<12 | lane>>1<<11 | reg(o[2])<<5 | reg(o[3])
}

// lower is the form of a class that reads or writes the lower half of a register.
func lower(class func(form, []int) uint32) func(form, []int) uint32 {
	return func(f form, o []int) uint32 { return class(f, o) &^ wholeRegister }
}

func reg(n int) uint32 {
	if n < 0 || n > 31 {
		panic(fmt.Sprintf("asmgen: register %d", n))
	}
	return uint32(n)
}
