package train

import (
	"testing"
	"time"
)

// Steps of two seconds after a slow first one; the validation of the epoch before took a minute.
func TestPace(t *testing.T) {
	start := time.Unix(1000, 0)
	p := newPace(2, 11, 64, time.Minute, start)
	now := start.Add(9 * time.Second)
	if s := p.took(now); s.Left != 0 || s.Whole() != 0 || s.Elapsed != 9*time.Second {
		t.Errorf("after the first step: %+v", s)
	}
	for done := 2; done <= 11; done++ {
		now = now.Add(2 * time.Second)
		s := p.took(now)
		left := time.Duration(11-done)*2*time.Second + time.Minute
		if s.Done != done || s.Left != left || s.Whole() != 9*time.Second+20*time.Second+time.Minute {
			t.Errorf("after step %d: %+v, whole %s; want %s left", done, s, s.Whole(), left)
		}
	}
}
