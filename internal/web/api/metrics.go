package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mllmrec/mllmrec/internal/shopfront"
)

// metrics is what Prometheus reads.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	answers  *prometheus.CounterVec
	events   *prometheus.CounterVec
	refused  prometheus.Counter
}

func newMetrics(a *API) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "mllmrec_request_seconds", Help: "Seconds that requests took, by operation and status.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .25, .5, 1, 2.5, 10}}, []string{"operation", "status"}),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mllmrec_lists_total", Help: "Lists of recommendations, by what they were made from and by arm."}, []string{"basis", "model", "arm"}),
		events:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mllmrec_feedback_total", Help: "Events stored, by type and arm."}, []string{"type", "arm"}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "mllmrec_feedback_refused_total", Help: "Events that were not stored, and are the client's to post again."})}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	m.registry.MustRegister(m.requests, m.answers, m.events, m.refused, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		gauge("mllmrec_items", "Items that are served, hidden ones included.", func() float64 { return float64(a.shop.Counts().Items) }),
		gauge("mllmrec_items_hidden", "Items that are hidden from every list.", func() float64 { return float64(a.shop.Counts().Hidden) }),
		gauge("mllmrec_items_added", "Items that came after the run was trained.", func() float64 { return float64(a.shop.Counts().Added) }),
		gauge("mllmrec_generation", "Counts what changed for everybody: runs swapped, items changed.", func() float64 { return float64(a.shop.Generation()) }),
		gauge("mllmrec_live_state_up", "1 while the live state can be read.", func() float64 {
			if a.shop.Away() != "" {
				return 0
			}
			return 1
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "mllmrec_questions_total", Help: "Questions for lists."}, func() float64 { asked, _ := a.shop.CacheCounts(); return float64(asked) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "mllmrec_questions_kept_total", Help: "Questions answered from kept answers."}, func() float64 { _, kept := a.shop.CacheCounts(); return float64(kept) }))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) request(operation string, status int, took time.Duration) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Observe(took.Seconds())
}

func (m *metrics) answered(a *shopfront.Answer) {
	m.answers.WithLabelValues(string(a.Basis), a.Model, a.Arm).Inc()
}
