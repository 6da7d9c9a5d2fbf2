// Command bench measures how fast Dialtone serves phones, beside nginx, which
// serves the same bytes from disk, and Kamailio, which registers the same phones:
// in one run, on one machine, in turns. `make bench` runs it; it needs nginx, wrk,
// sipp, Kamailio, and a MariaDB server in TEST_MYSQL.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	var o options
	var sizes string
	flag.StringVar(&o.program, "dialtone", filepath.Join("bin", "dialtone"), "path of the built program")
	flag.StringVar(&o.page, "write", "", "page whose table of figures is replaced")
	flag.DurationVar(&o.round, "round", 5*time.Second, "how long each measurement takes")
	flag.IntVar(&o.rounds, "rounds", 3, "measurements of each server, in turns")
	flag.IntVar(&o.phones, "phones", 20_000, "phones of the storm, and of files that are asked for once")
	flag.StringVar(&o.brand, "brand", "", "brand of the phones, whose settings are in <mac>.cfg")
	flag.StringVar(&o.family, "family", "", "family of that brand")
	flag.StringVar(&o.model, "model", "", "model of that family")
	flag.StringVar(&o.agent, "agent", "", "User-Agent of its firmware")
	flag.StringVar(&sizes, "sizes", "1000,100000", "numbers of devices whose latency is compared with the first")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := o.setSizes(sizes)
	if err == nil && (o.brand == "" || o.family == "" || o.model == "") {
		err = errors.New("-brand, -family and -model say which phones: see `make bench-beside`")
	}
	if err == nil {
		err = run(ctx, o, os.Stdout)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are what is measured, and how long.
type options struct {
	brand, family, model, agent string
	program, page               string
	round                       time.Duration
	rounds, phones              int
	sizes                       []int
}

func (o *options) setSizes(list string) error {
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-sizes: %q is no number of devices", text)
		}
		o.sizes = append(o.sizes, n)
	}
	return nil
}

// A row is a line of the table.
type row struct {
	what, measured, against, ratio, goal string
}

// run measures everything and prints the table.
func run(ctx context.Context, o options, out io.Writer) (err error) {
	if o.program, err = filepath.Abs(o.program); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "dialtone-bench-")
	if err != nil {
		return err
	}
	l := &lab{options: o, folder: folder, out: out}
	defer func() { err = errors.Join(err, l.close()) }()
	if err := l.prepare(ctx); err != nil {
		return err
	}
	var rows []row
	for _, part := range []func(context.Context) ([]row, error){l.besideNginx, l.replicas, l.storm, l.growth, l.sip} {
		more, err := part(ctx)
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	text := report(rows)
	if _, err := io.WriteString(out, "\n"+text); err != nil || o.page == "" {
		return err
	}
	return replaceTable(o.page, text)
}

// A comparison is one case in which Dialtone and nginx take turns.
type comparison struct {
	what            string
	dialtone, nginx string // URLs of the folder with the phones' files
	phones          int    // whose files are asked Dialtone for at random; nginx has those of warmPhones
	reconnect       bool
	goal            float64
}

// besideNginx asks both for the same files in the same way.
func (l *lab) besideNginx(ctx context.Context) ([]row, error) {
	var rows []row
	for _, c := range []comparison{
		{"new TLS 1.3 connection each, P-256", l.sqlite.tlsURL, l.nginx.tlsURL, warmPhones, true, .95},
		{"new connection each, plain HTTP", l.sqlite.url, l.nginx.url, warmPhones, true, .60},
		{"connections kept, SQLite", l.sqlite.url, l.nginx.url, warmPhones, false, .50},
		{"connections kept, MariaDB", l.mariadb.url, l.nginx.url, warmPhones, false, .30},
		{"first fetch: read, derived and rendered, connections kept", l.cold.url, l.nginx.url, l.phones, false, .06},
	} {
		var ours, theirs []load
		for range l.rounds {
			mine, err := l.wrk(ctx, c.dialtone, c.phones, 64, c.reconnect)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.what, err)
			}
			other, err := l.wrk(ctx, c.nginx, warmPhones, 64, c.reconnect)
			if err != nil {
				return nil, fmt.Errorf("%s, nginx: %w", c.what, err)
			}
			ours, theirs = append(ours, mine), append(theirs, other)
		}
		a, b := middle(ours), middle(theirs)
		l.handshakes = cmp.Or(l.handshakes, b.rate) // those of the first case
		rows = append(rows, row{c.what, perSecond(a.rate) + ", p99 " + a.p99, "nginx " + perSecond(b.rate), ratio(a.rate / b.rate), "≥ " + ratio(c.goal)})
		l.tell(rows)
	}
	return rows, nil
}

// storm boots all phones at once, over TLS.
func (l *lab) storm(ctx context.Context) ([]row, error) {
	var rates []float64
	var worst string
	for range l.rounds {
		got, err := l.bootAll(ctx)
		if err != nil {
			return nil, err
		}
		rate, err := strconv.ParseFloat(got["phones_per_second"], 64)
		if err != nil {
			return nil, fmt.Errorf("storm: %w", err)
		}
		if got["failed"] != "0" || got["status_503"] != "" {
			return nil, fmt.Errorf("storm: %s phones failed, %s answers were 503", got["failed"], cmp.Or(got["status_503"], "0"))
		}
		rates, worst = append(rates, rate), got["boot_p99_ms"]
	}
	rate := median(rates)
	rows := []row{{
		fmt.Sprintf("boot storm: %d phones, all files over TLS and a registration each", l.phones),
		fmt.Sprintf("%.0f phones/s, boot p99 %s ms", rate, worst), "handshakes of nginx: " + perSecond(l.handshakes), ratio(rate / l.handshakes), "≥ 0.80",
	}}
	l.tell(rows)
	return rows, nil
}

// growth asks for files at random among more and more phones, few at a time.
func (l *lab) growth(ctx context.Context) ([]row, error) {
	var rows []row
	var first load
	for i, size := range l.sizes {
		s, err := l.fleet(ctx, size)
		if err != nil {
			return nil, err
		}
		var results []load
		for range l.rounds {
			got, err := l.wrk(ctx, s.url, size, 2, false)
			if err != nil {
				return nil, fmt.Errorf("%d devices: %w", size, err)
			}
			results = append(results, got)
		}
		got := middle(results)
		if i == 0 {
			first = got
		}
		rows = append(rows, row{
			fmt.Sprintf("%d devices, SQLite, nothing kept, two at a time", size), fmt.Sprintf("p50 %s, p99 %s", got.p50, got.p99),
			fmt.Sprintf("%d devices", l.sizes[0]), ratio(got.seconds / first.seconds), "p50 ≤ 1.50",
		})
		l.tell(rows)
		if err := s.stop(); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// tell prints the newest row.
func (l *lab) tell(rows []row) {
	r := rows[len(rows)-1]
	_, _ = fmt.Fprintf(l.out, "%s: %s; %s; %s (goal %s)\n", r.what, r.measured, r.against, r.ratio, r.goal)
}

// middle is the load with the median rate.
func middle(loads []load) load {
	slices.SortFunc(loads, func(a, b load) int { return cmp.Compare(a.rate, b.rate) })
	return loads[len(loads)/2]
}

// median is NaN of nothing.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

func perSecond(rate float64) string { return fmt.Sprintf("%.0f/s", rate) }
func ratio(r float64) string        { return fmt.Sprintf("%.2f", r) }

// report is the table and what it was measured on.
func report(rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. Medians; the spread between runs is large.\n\n", machine())
	b.WriteString("| case | Dialtone | against | ratio | goal |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.what, r.measured, r.against, r.ratio, r.goal)
	}
	return b.String()
}

// machine says what everything ran on, and what else that did.
func machine() string {
	model := "unknown processor"
	info, _ := os.ReadFile("/proc/cpuinfo") // unknown without
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
		}
	}
	load, _ := os.ReadFile("/proc/loadavg") // unknown without
	minutes := strings.Fields(string(load) + " ? ? ?")
	return fmt.Sprintf("%s, %d cores for all programs; load at the end %s, %s", model, cores(), minutes[0], time.Now().UTC().Format(time.DateOnly))
}

// The marks around the table of a page.
const (
	tableBegins = "<!-- what follows is written by make bench -->\n"
	tableEnds   = "<!-- what make bench writes ends here -->\n"
)

// replaceTable puts the text between the marks of a page.
func replaceTable(page, text string) error {
	raw, err := os.ReadFile(page) //nolint:gosec // named on the command line
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(raw), tableBegins)
	_, after, closed := strings.Cut(rest, tableEnds)
	if !ok || !closed {
		return fmt.Errorf("%s has no %s", page, strings.TrimSpace(tableBegins))
	}
	return os.WriteFile(page, []byte(before+tableBegins+text+tableEnds+after), 0o644) //nolint:gosec // a page of documentation
}
