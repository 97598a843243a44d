package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"callboard/internal/desk"
	"callboard/internal/live"
	"callboard/internal/quota"
	"callboard/internal/sfu"
	"callboard/internal/store"
	"callboard/internal/troupe"
)

// metrics is what /metrics shows. Requests are counted as they are answered;
// everything else is asked of its owner at the moment of the scrape.
type metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callboard_api_requests_total", Help: "Answered API requests.",
		}, []string{"operation", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "callboard_api_request_seconds", Help: "Time from the head of an API request to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"operation"}),
	}
	m.registry.MustRegister(m.requests, m.durations, probes(s), refusals{s.meter.Stats}, deliveries{s.courier.Stats},
		mediaSeries{s.cfg.MediaMetrics, s.floor.InspectAll},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// observe is told about every API request.
func (m *metrics) observe(operation string, status int, d time.Duration) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
	m.durations.WithLabelValues(operation).Observe(d.Seconds())
}

func (m *metrics) page() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// counts is one look at everybody's counters.
type counts struct {
	floor live.Stats
	media sfu.Stats
	facts store.Stats
	peers troupe.Stats
	watch desk.WatchStats
}

// probe is one number of a look.
type probe struct {
	about *prometheus.Desc
	kind  prometheus.ValueType
	read  func(counts) float64
}

// prober is a collector that looks once and reads all its probes from that look.
type prober struct {
	look   func() counts
	probes []probe
}

func (p prober) Describe(out chan<- *prometheus.Desc) {
	for _, probe := range p.probes {
		out <- probe.about
	}
}

func (p prober) Collect(out chan<- prometheus.Metric) {
	now := p.look()
	for _, probe := range p.probes {
		out <- prometheus.MustNewConstMetric(probe.about, probe.kind, probe.read(now))
	}
}

func probes(s *Server) prober {
	return prober{
		look: func() counts {
			return counts{s.floor.Stats(), s.engine.Stats(), s.store.Stats(), s.troupeStats(), s.desk.WatchStats()}
		},
		probes: []probe{
			gauge("callboard_participants", "Participants connected now.", func(c counts) float64 { return float64(c.floor.Participants) }),
			gauge("callboard_presence_sockets", "Presence WebSockets open now.", func(c counts) float64 { return float64(c.floor.Sockets) }),
			gauge("callboard_publications", "Publications with a media connection now.", func(c counts) float64 { return float64(c.floor.Publications) }),
			gauge("callboard_subscriptions", "Subscriptions with a media connection now.", func(c counts) float64 { return float64(c.floor.Subscriptions) }),
			gauge("callboard_visits", "Subscriptions served here for participants of other processes.", func(c counts) float64 { return float64(c.floor.Visits) }),
			gauge("callboard_processes", "Servers alive on the same facts, this one included.", func(c counts) float64 { return float64(c.peers.Processes) }),
			gauge("callboard_process_links", "Links to other servers, by which their people are known here.", func(c counts) float64 { return float64(c.peers.Links) }),
			gauge("callboard_process_legs", "Subscriptions of participants here that other servers serve.", func(c counts) float64 { return float64(c.peers.Legs) }),
			counter("callboard_process_requests_passed_total", "Participants' requests passed on to other servers.", func(c counts) float64 { return float64(c.peers.Passed) }),
			gauge("callboard_media_peers", "Media connections now.", func(c counts) float64 { return float64(c.media.Peers) }),
			gauge("callboard_media_peers_pending", "Media connections that are not up yet.", func(c counts) float64 { return float64(c.media.Pending) }),
			counter("callboard_media_packets_in_total", "RTP packets received.", func(c counts) float64 { return float64(c.media.PacketsIn) }),
			counter("callboard_media_packets_out_total", "RTP packets sent.", func(c counts) float64 { return float64(c.media.PacketsOut) }),
			counter("callboard_media_bytes_in_total", "Bytes of RTP received.", func(c counts) float64 { return float64(c.media.BytesIn) }),
			counter("callboard_media_bytes_out_total", "Bytes of RTP sent.", func(c counts) float64 { return float64(c.media.BytesOut) }),
			counter("callboard_media_packets_retransmitted_total", "RTP packets sent again because they were missed.", func(c counts) float64 { return float64(c.media.Retransmitted) }),
			counter("callboard_media_key_frame_requests_total", "Key frames asked of publishers.", func(c counts) float64 { return float64(c.media.KeyFrameRequests) }),
			counter("callboard_media_write_errors_total", "RTP packets that could not be sent.", func(c counts) float64 { return float64(c.media.WriteErrors) }),
			counter("callboard_store_commits_total", "Transactions made durable.", func(c counts) float64 { return float64(c.facts.Commits) }),
			counter("callboard_store_updates_total", "Updates run; divided by the commits, the size of a batch.", func(c counts) float64 { return float64(c.facts.Updates) }),
			counter("callboard_store_update_failures_total", "Updates that left nothing.", func(c counts) float64 { return float64(c.facts.Failures) }),
			counter("callboard_store_views_total", "Snapshots read.", func(c counts) float64 { return float64(c.facts.Views) }),
			gauge("callboard_store_updates_queued", "Updates that wait for their commit.", func(c counts) float64 { return float64(c.facts.Queued) }),
			gauge("callboard_store_readers", "Connections open for reading.", func(c counts) float64 { return float64(c.facts.Readers) }),
			gauge("callboard_rolls", "Sessions whose participants are in memory.", func(c counts) float64 { return float64(c.facts.Rolls) }),
			gauge("callboard_roll_bytes", "Memory that they take.", func(c counts) float64 { return float64(c.facts.RollBytes) }),
			gauge("callboard_watchers", "Watchers of rolls now.", func(c counts) float64 { return float64(c.watch.Watchers) }),
			gauge("callboard_watchers_behind", "Watchers who are reading the facts by themselves.", func(c counts) float64 { return float64(c.watch.Behind) }),
			gauge("callboard_watch_lag_events", "Durable events that have not reached the watched stages yet.", func(c counts) float64 { return float64(c.watch.Lag) }),
			counter("callboard_watch_fallen_total", "Times that a watcher was too slow and had to read the facts by itself.", func(c counts) float64 { return float64(c.watch.Fallen) }),
			counter("callboard_watch_dropped_total", "Watchers who did not take what was written to them.", func(c counts) float64 { return float64(c.watch.Dropped) }),
			counter("callboard_watch_refused_total", "Watchers who were one too many.", func(c counts) float64 { return float64(c.watch.Refused) }),
		},
	}
}

// refusals collects what was too much for this server's quotas, or would have
// been for those of AWS.
type refusals struct{ look func() quota.Stats }

var (
	throttled = prometheus.NewDesc("callboard_throttled_calls_total",
		"API calls that were throttled (enforced) or that AWS would have throttled.", []string{"operation", "enforced"}, nil)
	exceeded = prometheus.NewDesc("callboard_quota_exceeded_total",
		"Demands that were refused for a quota (enforced) or that AWS would have refused.", []string{"quota", "enforced"}, nil)
)

func (refusals) Describe(out chan<- *prometheus.Desc) {
	out <- throttled
	out <- exceeded
}

func (r refusals) Collect(out chan<- prometheus.Metric) {
	now := r.look()
	for label, n := range now.Throttled {
		out <- prometheus.MustNewConstMetric(throttled, prometheus.CounterValue, float64(n), label.Name, strconv.FormatBool(label.Enforced))
	}
	for label, n := range now.Exceeded {
		out <- prometheus.MustNewConstMetric(exceeded, prometheus.CounterValue, float64(n), label.Name, strconv.FormatBool(label.Enforced))
	}
}

func gauge(name, help string, read func(counts) float64) probe {
	return probe{prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, read}
}

func counter(name, help string, read func(counts) float64) probe {
	return probe{prometheus.NewDesc(name, help, nil, nil), prometheus.CounterValue, read}
}
