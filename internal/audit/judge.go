package audit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
)

// judge turns the table of users into estimates and a verdict.
func judge(table []row, label dataset.Label, opt Options) LabelProbe {
	l := LabelProbe{Label: label.String(), Users: len(table), Verdict: Inconclusive}
	if len(table) == 0 {
		return l
	}
	rng := rand.New(rand.NewPCG(opt.Seed, 0x6a75646765^uint64(label))) // "judge"
	boot := make([]row, opt.Resamples)
	for b := range boot {
		boot[b] = resample(table, rng)
	}
	center := means(table)
	estimate := func(f func(row) float64) Estimate {
		values := make([]float64, len(boot))
		for b := range boot {
			values[b] = f(boot[b])
		}
		slices.Sort(values)
		at := func(q float64) float64 { return values[min(int(q*float64(len(values))), len(values)-1)] }
		return Estimate{f(center), at(0.025), at(0.975)}
	}
	column := func(c int) func(row) float64 { return func(r row) float64 { return r[c] } }
	ratio := func(a, b int) func(row) float64 { return func(r row) float64 { return over(r[a], r[b]) } }
	rho := func(r row) float64 { return over(r[sHeld]-r[sControl], r[sTrain]-r[sControl]) }
	rhoBase := func(r row) float64 { return over(r[baseHeld]-r[baseControl], r[baseTrain]-r[baseControl]) }

	l.Twins = Trace{estimate(column(twinTrain)), estimate(column(twinHeld)), estimate(ratio(twinHeld, twinTrain))}
	l.Matches = Trace{estimate(column(matchTrain)), estimate(column(matchHeld)), estimate(ratio(matchHeld, matchTrain))}
	l.Cosines = Cosines{center[sTrain], center[sHeld], center[sControl], center[baseTrain], center[baseHeld], center[baseControl]}
	l.Rho, l.RhoBase = estimate(rho), estimate(rhoBase)
	l.RhoDelta = estimate(func(r row) float64 { return rho(r) - rhoBase(r) })
	l.decide()
	return l
}

// over is a/b, bounded so that a vanishing denominator stays a JSON number.
func over(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return min(max(a/b, -1e6), 1e6)
}

func means(table []row) row {
	var m row
	for _, r := range table {
		for c, v := range r {
			m[c] += v
		}
	}
	for c := range m {
		m[c] /= float64(len(table))
	}
	return m
}

func resample(table []row, rng *rand.Rand) row {
	var m row
	for range table {
		r := &table[rng.IntN(len(table))]
		for c, v := range r {
			m[c] += v
		}
	}
	for c := range m {
		m[c] /= float64(len(table))
	}
	return m
}

// knows: the vectors hold a trace of single train items that stands out of the noise,
// by at least twice the half-width of its interval (about four standard errors).
func (t Trace) knows() bool {
	return t.Train.Value > 2*(t.Train.Value-t.Train.Low) && t.Train.Value > 0 && finite(t.Ratio)
}

func (t Trace) leaky() bool { return t.knows() && t.Held.Low > 0 && t.Ratio.Low > Tolerance }

func (t Trace) clean() bool { return t.knows() && t.Ratio.High < Tolerance }

func (l *LabelProbe) decide() {
	numbers := fmt.Sprintf("(%s items, %d users: ratio %s against twins, %s against matches)", l.Label, l.Users, l.Twins.Ratio, l.Matches.Ratio)
	say := func(v Verdict, text string) { l.Verdict, l.Sentence = v, text+" "+numbers+"." }
	howWell := "as well as"
	if l.Twins.Ratio.High < 1 {
		howWell = fmt.Sprintf("%d %% as well as", int(math.Round(100*l.Twins.Ratio.Value)))
	}
	switch {
	case l.Users < MinUsers:
		say(Inconclusive, fmt.Sprintf("Too few users for a verdict on %s items: %d, want at least %d", l.Label, l.Users, MinUsers))
	case !l.Twins.knows():
		say(Inconclusive, fmt.Sprintf("The user vectors hold no trace of single items, not even of train items, so nothing can be said of %s items", l.Label))
	case l.Twins.leaky() && l.Matches.leaky():
		say(Leaky, fmt.Sprintf("The user vectors know single %s items %s they know train items, although nothing in the train items explains it", l.Label, howWell))
	case l.Twins.clean() && !l.Matches.leaky():
		say(Clean, fmt.Sprintf("The user vectors know single train items but not single %s items", l.Label))
	default:
		say(Inconclusive, fmt.Sprintf("The user vectors lean towards %s items, but not clearly enough to tell a leak from a good guess", l.Label))
	}
}
