package tables

import (
	"errors"
	"fmt"
	"io"
	"strconv"
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
}

func newColumnReader(chunk parquet.ColumnChunk, leaf *parquet.Column) *columnReader {
	return &columnReader{pages: chunk.Pages(), leaf: leaf, scale: timeScale(leaf)}
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
		switch logical.Value.(type) {
		case *format.DecimalType, *format.TimeType, *format.BsonType, *format.Float16Type:
			return "is of type " + logical.String()
		}
	}
	if leaf.Type().Kind() == parquet.FixedLenByteArray {
		return "is of type " + leaf.Type().String()
	}
	return ""
}

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
		c.text, c.seconds = r.text(v)
		return c, nil
	}
	c.kind, c.list = multiple, []string{}
	for first := true; first || v.RepetitionLevel() > 0; first = false {
		if !v.IsNull() {
			text, _ := r.text(v)
			c.list = append(c.list, string(text))
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

// text writes a value as text; seconds says that the text is a time in unix seconds.
// Whole numbers have no decimal point, also where the column holds floats, which is
// what pandas makes of integers with gaps.
func (r *columnReader) text(v *parquet.Value) (text []byte, seconds bool) {
	var n int64
	switch v.Kind() {
	case parquet.Boolean:
		return strconv.AppendBool(nil, v.Boolean()), false
	case parquet.Int32:
		n = int64(v.Int32())
	case parquet.Int64:
		n = v.Int64()
	case parquet.Int96: // nanoseconds of the day, Julian day
		t := v.Int96()
		nanos := int64(uint64(t[1])<<32 | uint64(t[0]))
		return strconv.AppendInt(nil, (int64(t[2])-2440588)*86400+nanos/1e9, 10), true
	case parquet.Float:
		return strconv.AppendFloat(nil, float64(v.Float()), 'f', -1, 32), false
	case parquet.Double:
		return strconv.AppendFloat(nil, v.Double(), 'f', -1, 64), false
	default:
		return append([]byte(nil), v.ByteArray()...), false
	}
	switch {
	case r.scale == 24*time.Hour:
		return strconv.AppendInt(nil, n*86400, 10), true
	case r.scale > 0:
		a := int64(time.Second / r.scale)
		s := n / a
		if n%a < 0 {
			s--
		}
		return strconv.AppendInt(nil, s, 10), true
	case r.unsigned():
		if v.Kind() == parquet.Int32 {
			return strconv.AppendUint(nil, uint64(uint32(n)), 10), false
		}
		return strconv.AppendUint(nil, uint64(n), 10), false
	}
	return strconv.AppendInt(nil, n, 10), false
}

func (r *columnReader) unsigned() bool {
	logical := r.leaf.Type().LogicalType()
	if logical == nil {
		return false
	}
	i, ok := logical.Value.(*format.IntType)
	return ok && !i.IsSigned
}
