package uplift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mllmrec/mllmrec/internal/live"
)

// shop simulates users of two arms who buy with the probabilities given, up to three times.
func shop(seed uint64, users int, base, better float64) *Counter {
	r, c := rand.New(rand.NewPCG(seed, 1)), NewCounter()
	for u := range users {
		arm, p := "base", base
		if u%2 == 1 {
			arm, p = "new", better
		}
		user := fmt.Sprint("u", u)
		c.Add(&live.Event{User: user, Arm: arm, Type: live.View})
		for range 3 {
			if r.Float64() < p {
				c.Add(&live.Event{User: user, Arm: arm, Type: live.Purchase})
			}
		}
	}
	return c
}

func purchases(t *testing.T, c *Counter) Uplift {
	t.Helper()
	r, err := c.Result("base")
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range r.Uplifts {
		if u.Type == live.Purchase {
			return u
		}
	}
	t.Fatal("nothing is said of purchases")
	return Uplift{}
}

// Intervals hold the truth about 95 times in 100, where there is no difference and where there is one.
func TestIntervalsCover(t *testing.T) {
	for _, better := range []float64{0.10, 0.16} {
		const tests = 400
		held := 0
		for seed := range tests {
			u := purchases(t, shop(uint64(seed), 1600, 0.10, better))
			if truth := 3 * (better - 0.10); u.Low <= truth && truth <= u.High {
				held++
			}
		}
		if held < 365 || held > 395 { // 380 ± 3.4 standard deviations
			t.Errorf("of %d intervals %d hold the difference of %g", tests, held, 3*(better-0.10))
		}
	}
	if u := purchases(t, shop(7, 4000, 0.10, 0.16)); u.Verdict != More || math.Abs(u.Difference-0.18) > 0.06 {
		t.Errorf("%+v", u)
	}
	if u := purchases(t, shop(7, 4000, 0.16, 0.10)); u.Verdict != Less {
		t.Errorf("%+v", u)
	}
	if u := purchases(t, shop(8, 4000, 0.10, 0.10)); u.Verdict != Alike {
		t.Errorf("%+v", u)
	}
}

// Below the stated sample nothing is concluded, however large the difference.
func TestSmallSamplesConcludeNothing(t *testing.T) {
	if u := purchases(t, shop(1, 2*MinUsers-2, 0.01, 0.9)); u.Verdict != TooFew || u.Why == "" {
		t.Errorf("%+v", u)
	}
	if u := purchases(t, shop(1, 4*MinUsers, 0.001, 0.9)); u.Verdict != TooFew || u.Why == "" {
		t.Errorf("few events: %+v", u)
	}
}

// Users who were in several arms are left out and counted; those outside of every arm are nobody's.
func TestUsersInSeveralArmsAreLeftOut(t *testing.T) {
	c := shop(1, 2000, 0.1, 0.1)
	for u := range 10 {
		c.Add(&live.Event{User: fmt.Sprint("u", 2*u), Arm: "new", Type: live.Purchase})
	}
	c.Add(&live.Event{User: "outside", Type: live.Purchase})
	r, err := c.Result("")
	if err != nil || r.Both != 10 || r.Arms[0].Users != 990 || r.Arms[1].Users != 1000 {
		t.Errorf("%v %+v", err, r)
	}
	if _, err := c.Result("none"); err == nil {
		t.Error("an arm that is not there")
	}
	if r, err := NewCounter().Result(""); err != nil || len(r.Arms) != 0 {
		t.Errorf("nothing: %v %+v", err, r)
	}
}
