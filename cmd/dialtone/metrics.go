package main

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"dialtone/models/sqlstore"
	"dialtone/provisioner/phonehttp"
)

// metrics are the figures of a running server, for Prometheus. Labels have few
// values: never an account, a phone, an address or what a stranger made up.
type metrics struct {
	registry *prometheus.Registry
	make     promauto.Factory

	phoneRequests *prometheus.CounterVec
	phoneSeconds  *prometheus.HistogramVec
	refusals      *prometheus.CounterVec
	lastGood      prometheus.Counter
	exposed       prometheus.Counter

	renderSeconds  *prometheus.HistogramVec
	renderFailures *prometheus.CounterVec

	apiRequests *prometheus.CounterVec
	apiSeconds  prometheus.Observer

	sipRequests   *prometheus.CounterVec
	notifications *prometheus.CounterVec
}

// Upper bounds, in seconds: a file from memory takes less than a millisecond, and
// a database that hangs is given up after ten seconds.
var seconds = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

func newMetrics() *metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	factory := promauto.With(registry)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return factory.NewCounterVec(prometheus.CounterOpts{Name: "dialtone_" + name, Help: help}, labels)
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return factory.NewHistogramVec(prometheus.HistogramOpts{Name: "dialtone_" + name, Help: help, Buckets: seconds}, labels)
	}
	factory.NewGaugeVec(prometheus.GaugeOpts{Name: "dialtone_build_info", Help: "Which version runs; always 1."}, []string{"version"}).
		WithLabelValues(version).Set(1)
	return &metrics{
		registry: registry, make: factory,
		phoneRequests: counter("phone_requests_total", "Requests of phones for files, by the phone's brand where it is known.", "brand", "method", "status"),
		phoneSeconds:  histogram("phone_request_seconds", "How long phones' requests took, until the last byte was handed over.", "brand"),
		refusals:      counter("phone_refusals_total", "Requests of phones that were not let in, by the rule that did not; a first request that waits for its challenge is one.", "rule"),
		lastGood:      counter("phone_last_good_files_total", "Files served from memory because the database or a template failed.").WithLabelValues(),
		exposed:       counter("phone_secrets_in_clear_total", "Files with secrets sent without TLS.").WithLabelValues(),

		renderSeconds:  histogram("render_seconds", "How long files took to render; those from memory are not counted.", "brand"),
		renderFailures: counter("render_failures_total", "Files that could not be rendered.", "brand"),

		apiRequests: counter("api_requests_total", "Requests to the API.", "method", "route", "status"),
		apiSeconds:  histogram("api_request_seconds", "How long requests to the API took.").WithLabelValues(),

		sipRequests:   counter("sip_requests_total", "SIP requests that were answered.", "method", "status"),
		notifications: counter("sip_notifications_total", "NOTIFYs to contacts, by what became of them.", "outcome"),
	}
}

func (m *metrics) phone(o phonehttp.Observation) {
	m.phoneRequests.WithLabelValues(o.Brand, o.Method, strconv.Itoa(o.Status)).Inc()
	m.phoneSeconds.WithLabelValues(o.Brand).Observe(o.Took.Seconds())
	if o.Refused != "" {
		m.refusals.WithLabelValues(o.Refused).Inc()
	}
	if o.LastGood {
		m.lastGood.Inc()
	}
	if o.Exposed {
		m.exposed.Inc()
	}
}

func (m *metrics) rendered(brand string, took time.Duration, err error) {
	m.renderSeconds.WithLabelValues(brand).Observe(took.Seconds())
	if err != nil {
		m.renderFailures.WithLabelValues(brand).Inc()
	}
}

func (m *metrics) api(method, route string, status int, took time.Duration) {
	if !slices.Contains([]string{"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"}, method) {
		method = "other"
	}
	m.apiRequests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.apiSeconds.Observe(took.Seconds())
}

func (m *metrics) sip(method string, status int) {
	m.sipRequests.WithLabelValues(method, strconv.Itoa(status)).Inc()
}

func (m *metrics) told(outcome string) { m.notifications.WithLabelValues(outcome).Inc() }

// watch adds what is read from the parts of a server when somebody asks.
func (m *metrics) watch(s *server) error {
	gauge := func(name, help string, value func() float64) {
		m.make.NewGaugeFunc(prometheus.GaugeOpts{Name: "dialtone_" + name, Help: help}, value)
	}
	gauge("rendered_cache_bytes", "Memory that rendered files take which are kept.", func() float64 { return float64(s.files.CachedBytes()) })
	gauge("sip_connections", "Phones that are connected over TCP and TLS.", func() float64 { return float64(s.sip.Connections()) })
	m.make.NewCounterFunc(prometheus.CounterOpts{
		Name: "dialtone_phone_records_dropped_total", Help: "Requests of phones that no record was made of: the database was too slow.",
	}, func() float64 { return float64(s.recorder.Dropped()) })
	for service, files := range map[string]certificates{"phones": s.phoneCerts, "api": s.apiCerts} {
		if files != nil {
			m.make.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "dialtone_certificate_not_after_seconds", Help: "When the first of the certificates expires, as Unix time.",
				ConstLabels: prometheus.Labels{"service": service},
			}, func() float64 { return float64(files.NotAfter().Unix()) })
		}
	}
	return m.watchDatabase(s.store)
}

func (m *metrics) watchDatabase(store *sqlstore.Store) error {
	pools, err := store.Pools()
	if err != nil {
		return err
	}
	for name, pool := range pools {
		if err := m.registry.Register(collectors.NewDBStatsCollector(pool, name)); err != nil {
			return err
		}
	}
	return nil
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
