package tables

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// columnReader reads one column chunk, a row at a time.
type columnReader struct {
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buf    [256]parquet.Value
	at, n  int
	leaf   *parquet.Column
	scale  time.Duration // of a timestamp; 24 h of a date; 0 = no time

	decimal *format.DecimalType // nil = no decimal number
	uuid    bool
}

func newColumnReader(chunk parquet.ColumnChunk, leaf *parquet.Column) *columnReader {
	r := &columnReader{pages: chunk.Pages(), leaf: leaf, scale: timeScale(leaf)}
	if logical := leaf.Type().LogicalType(); logical != nil {
		r.decimal, _ = logical.Value.(*format.DecimalType)
		_, r.uuid = logical.Value.(*format.UUIDType)
	}
	return r
}

// timeScale returns the unit of a column that holds times.
func timeScale(leaf *parquet.Column) time.Duration {
	logical := leaf.Type().LogicalType()
	if logical == nil {
		return 0
	}
	switch v := logical.Value.(type) {
	case *format.DateType:
		return 24 * time.Hour
	case *format.TimestampType:
		switch v.Unit.Value.(type) {
		case *format.MilliSeconds:
			return time.Millisecond
		case *format.MicroSeconds:
			return time.Microsecond
		case *format.NanoSeconds:
			return time.Nanosecond
		}
	}
	return 0
}

// unreadable says why a column cannot be mapped, or returns "".
func unreadable(leaf *parquet.Column) string {
	if leaf.MaxRepetitionLevel() > 1 {
		return "is a list of lists"
	}
	if logical := leaf.Type().LogicalType(); logical != nil {
		switch t := logical.Value.(type) {
		case *format.DecimalType:
			if t.Scale < 0 || t.Scale > maxScale {
				return fmt.Sprintf("is a decimal number with %d digits behind the point", t.Scale)
			}
			return ""
		case *format.UUIDType:
			return ""
		case *format.TimeType, *format.BsonType, *format.Float16Type, *format.GeometryType, *format.GeographyType, *format.VariantType:
			return "is of type " + logical.String()
		}
	}
	if leaf.Type().Kind() == parquet.FixedLenByteArray {
		return "is of type " + leaf.Type().String()
	}
	return ""
}

// Bounds on decimal numbers. The widest that tools write, decimal256, has 76 digits in 32
// bytes.
const (
	maxScale        = 76
	maxDecimalBytes = 32
)

// peek returns the next value, or io.EOF.
func (r *columnReader) peek() (*parquet.Value, error) {
	for r.at == r.n {
		if r.values == nil {
			page, err := r.pages.ReadPage()
			if err != nil {
				return nil, err
			}
			r.page, r.values = page, page.Values()
		}
		n, err := r.values.ReadValues(r.buf[:])
		if err != nil {
			if !errors.Is(err, io.EOF) {
				return nil, err
			}
			r.values = nil
			parquet.Release(r.page)
		}
		r.at, r.n = 0, n
	}
	return &r.buf[r.at], nil
}

// next returns the next row's cell.
func (r *columnReader) next() (cell, error) {
	v, err := r.peek()
	if errors.Is(err, io.EOF) {
		return cell{}, fmt.Errorf("the column ends early: %w", io.ErrUnexpectedEOF)
	} else if err != nil {
		return cell{}, err
	}
	c := cell{kind: single, at: r.leaf.Index() + 1}
	if r.leaf.MaxRepetitionLevel() == 0 {
		r.at++
		if v.IsNull() {
			c.kind = absent
			return c, nil
		}
		r.fill(&c, v)
		return c, nil
	}
	c.kind, c.list = multiple, []string{}
	for first := true; first || v.RepetitionLevel() > 0; first = false {
		if !v.IsNull() {
			var element cell
			r.fill(&element, v)
			c.list = append(c.list, string(element.text))
		}
		r.at++
		if v, err = r.peek(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return c, err
		}
	}
	return c, nil
}

// fill writes a value as text. Whole numbers have no decimal point, also where the column
// holds floats, which is what pandas makes of integers with gaps.
func (r *columnReader) fill(c *cell, v *parquet.Value) {
	var n int64
	switch v.Kind() {
	case parquet.Boolean:
		c.text = strconv.AppendBool(nil, v.Boolean())
		return
	case parquet.Int32:
		n = int64(v.Int32())
	case parquet.Int64:
		n = v.Int64()
	case parquet.Int96: // nanoseconds of the day, Julian day
		t := v.Int96()
		nanos := int64(uint64(t[1])<<32 | uint64(t[0]))
		c.moment((int64(t[2])-2440588)*86400+nanos/1e9, nanos%1e9)
		return
	case parquet.Float:
		c.text, c.float = strconv.AppendFloat(nil, float64(v.Float()), 'f', -1, 32), 24
		return
	case parquet.Double:
		c.text, c.float = strconv.AppendFloat(nil, v.Double(), 'f', -1, 64), 53
		return
	default:
		r.bytes(c, v.ByteArray())
		return
	}
	switch {
	case r.decimal != nil:
		c.text = decimal(big.NewInt(n), int(r.decimal.Scale))
	case r.scale == 24*time.Hour:
		c.moment(n*86400, 0)
	case r.scale > 0:
		a := int64(time.Second / r.scale)
		s, rest := n/a, n%a
		if rest < 0 {
			s, rest = s-1, rest+a
		}
		c.moment(s, rest*int64(r.scale))
	case r.unsigned() && v.Kind() == parquet.Int32:
		c.text = strconv.AppendUint(nil, uint64(uint32(n)), 10)
	case r.unsigned():
		c.text = strconv.AppendUint(nil, uint64(n), 10)
	default:
		c.text = strconv.AppendInt(nil, n, 10)
	}
}

// moment makes the cell a time.
func (c *cell) moment(seconds, nanos int64) {
	c.text, c.time, c.nanos = strconv.AppendInt(nil, seconds, 10), true, int32(nanos)
}

// bytes writes a value that is bytes.
func (r *columnReader) bytes(c *cell, b []byte) {
	switch {
	case r.decimal != nil && len(b) <= maxDecimalBytes: // big-endian two's complement
		n := new(big.Int).SetBytes(b)
		if len(b) > 0 && b[0] >= 0x80 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
		c.text = decimal(n, int(r.decimal.Scale))
	case r.uuid && len(b) == 16:
		c.text = fmt.Appendf(nil, "%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	default:
		c.text = append([]byte(nil), b...)
	}
}

// decimal writes n / 10^scale, without zeros at the end of the fraction.
func decimal(n *big.Int, scale int) []byte {
	digits := new(big.Int).Abs(n).String()
	if scale > 0 {
		if short := scale + 1 - len(digits); short > 0 {
			digits = strings.Repeat("0", short) + digits
		}
		point := len(digits) - scale
		digits = strings.TrimRight(strings.TrimRight(digits[:point]+"."+digits[point:], "0"), ".")
	}
	if n.Sign() < 0 {
		digits = "-" + digits
	}
	return []byte(digits)
}

func (r *columnReader) unsigned() bool {
	logical := r.leaf.Type().LogicalType()
	if logical == nil {
		return false
	}
	i, ok := logical.Value.(*format.IntType)
	return ok && !i.IsSigned
}
