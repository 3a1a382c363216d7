// Package uplift says what an A/B test of a served shop shows: for each type of feedback, how much more of it users of one arm gave than
// those of another, with an interval, or why that cannot be said yet.
package uplift

import (
	"fmt"
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/internal/live"
)

// The sample below which nothing is concluded, in each of two arms.
const (
	MinUsers  = 400 // who gave any feedback: below, the mean of few generous users is not normal
	MinEvents = 50  // of the type
)

// z is that of a 95 % interval.
const z = 1.959963984540054

// Counter takes events in, one after the other.
type Counter struct {
	arms map[string]map[string]map[live.EventType]int // by arm and user
}

// NewCounter makes a counter.
func NewCounter() *Counter {
	return &Counter{arms: map[string]map[string]map[live.EventType]int{}}
}

// Add counts an event. Events outside of every arm are left out.
func (c *Counter) Add(e *live.Event) {
	if e.Arm == "" {
		return
	}
	users := c.arms[e.Arm]
	if users == nil {
		users = map[string]map[live.EventType]int{}
		c.arms[e.Arm] = users
	}
	if users[e.User] == nil {
		users[e.User] = map[live.EventType]int{}
	}
	users[e.User][e.Type]++
}

// Arm is what came from the users of an arm.
type Arm struct {
	Name   string                 `json:"arm"`
	Users  int                    `json:"users"` // who gave any feedback
	Events map[live.EventType]int `json:"events"`
}

// Uplift compares an arm with the base by events of a type a user.
type Uplift struct {
	Arm  string         `json:"arm"`
	Base string         `json:"base"`
	Type live.EventType `json:"type"`
	// Mean is events a user in the arm, BaseMean in the base, Difference what the arm has more, from Low to High with 95 %.
	Mean       float64 `json:"mean"`
	BaseMean   float64 `json:"base_mean"`
	Difference float64 `json:"difference"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	// Verdict is "more", "less", "not told apart" or, where the sample is too small, "too few".
	Verdict string `json:"verdict"`
	Why     string `json:"why,omitempty"` // of "too few": what is missing
}

// Verdicts.
const (
	More   = "more"
	Less   = "less"
	Alike  = "not told apart"
	TooFew = "too few"
)

// Result is what a test shows.
type Result struct {
	Arms    []Arm    `json:"arms"`
	Uplifts []Uplift `json:"uplifts"`
	// Both counts users with feedback in several arms: the shares were changed while the test ran, and they are left out.
	Both int `json:"users_in_several_arms,omitempty"`
}

// Result compares every arm with the base; "" is the first by name.
func (c *Counter) Result(base string) (*Result, error) {
	names := c.names()
	if len(names) == 0 {
		return &Result{}, nil
	}
	if base == "" {
		base = names[0]
	}
	if !slices.Contains(names, base) {
		return nil, fmt.Errorf("there is no feedback from arm %q", base)
	}
	r := &Result{Both: c.leaveOutBoth()}
	for _, name := range names {
		a := Arm{Name: name, Users: len(c.arms[name]), Events: map[live.EventType]int{}}
		for _, types := range c.arms[name] {
			for t, n := range types {
				a.Events[t] += n
			}
		}
		r.Arms = append(r.Arms, a)
	}
	for _, name := range names {
		if name == base {
			continue
		}
		for _, t := range live.EventTypes {
			r.Uplifts = append(r.Uplifts, c.compare(name, base, t))
		}
	}
	return r, nil
}

func (c *Counter) names() (names []string) {
	for name := range c.arms {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// leaveOutBoth removes users who were in several arms.
func (c *Counter) leaveOutBoth() (n int) {
	in := map[string]int{}
	for _, users := range c.arms {
		for u := range users {
			in[u]++
		}
	}
	for u, arms := range in {
		if arms > 1 {
			n++
			for _, users := range c.arms {
				delete(users, u)
			}
		}
	}
	return n
}

// compare is Welch's interval of the difference of two means over users.
func (c *Counter) compare(arm, base string, t live.EventType) Uplift {
	m1, v1, n1, e1 := c.moments(arm, t)
	m0, v0, n0, e0 := c.moments(base, t)
	half := z * math.Sqrt(v1/float64(max(n1, 1))+v0/float64(max(n0, 1)))
	u := Uplift{Arm: arm, Base: base, Type: t, Mean: m1, BaseMean: m0, Difference: m1 - m0, Low: m1 - m0 - half, High: m1 - m0 + half}
	switch {
	case min(n1, n0) < MinUsers:
		u.Verdict, u.Why = TooFew, fmt.Sprintf("%d and %d users; %d of each are needed", n1, n0, MinUsers)
	case min(e1, e0) < MinEvents:
		u.Verdict, u.Why = TooFew, fmt.Sprintf("%d and %d events; %d of each are needed", e1, e0, MinEvents)
	case u.Low > 0:
		u.Verdict = More
	case u.High < 0:
		u.Verdict = Less
	default:
		u.Verdict = Alike
	}
	return u
}

// moments are the mean and the variance of events of a type a user, and how many users and events there are.
func (c *Counter) moments(arm string, t live.EventType) (mean, variance float64, users, events int) {
	sum, squares := 0.0, 0.0
	for _, types := range c.arms[arm] {
		n := float64(types[t])
		sum += n
		squares += n * n
		events += types[t]
	}
	if users = len(c.arms[arm]); users < 2 {
		return sum, 0, users, events
	}
	mean = sum / float64(users)
	return mean, max(0, squares-sum*mean) / float64(users-1), users, events
}
