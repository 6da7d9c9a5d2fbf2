package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// sip registers phones and notifies them. The benchmarks that do that belong to
// the package sip: they start Kamailio and sipp themselves, in turns.
func (l *lab) sip(ctx context.Context) ([]row, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "./sip", "-run", "^$", "-bench", "^Benchmark(Register|Notify)$", "-benchtime", "1x", "-timeout", "30m")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test ./sip: %w: %s", err, out)
	}
	measured, err := parseBenchmarks(string(out))
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, c := range []struct {
		what, dialtone, against, name, unit string
		goal                                float64
	}{
		{"first REGISTER with digest, SQLite", "Register/dialtone-sqlite", "Register/kamailio-memory", "Kamailio, in memory", "first/s", .90},
		{"refresh, SQLite", "Register/dialtone-sqlite", "Register/kamailio-memory", "Kamailio, in memory", "refresh/s", .90},
		{"first REGISTER with digest, MariaDB", "Register/dialtone-mysql", "Register/kamailio-mysql", "Kamailio, written to MariaDB", "first/s", .70},
		{"refresh, MariaDB", "Register/dialtone-mysql", "Register/kamailio-mysql", "Kamailio, written to MariaDB", "refresh/s", .70},
	} {
		ours, theirs := measured.median(c.dialtone, c.unit), measured.median(c.against, c.unit)
		rows = append(rows, row{c.what, perSecond(ours), c.name + " " + perSecond(theirs), ratio(ours / theirs), "≥ " + ratio(c.goal)})
		l.tell(rows)
	}
	for _, c := range []struct{ what, name string }{
		{"NOTIFY, 512 in flight, recorded in SQLite", "Notify/sqlite"}, {"the same, recorded in MariaDB", "Notify/mysql"}, {"the same, not recorded", "Notify/unrecorded"},
	} {
		rate := measured.median(c.name, "notify/s")
		rows = append(rows, row{c.what, perSecond(rate) + ", none lost", "answered by sipp", "", fmt.Sprintf("≥ %d/s", goalNotify)})
		l.tell(rows)
	}
	return rows, nil
}

const goalNotify = 20_000

// figures are what benchmarks measured, by name and unit, once for each round.
type figures map[[2]string][]float64

// round is what `go test` adds to a benchmark's name: the processors, and which of
// several with one name it is.
var round = regexp.MustCompile(`(#\d+)?-\d+$`)

// parseBenchmarks reads the lines of benchmarks that `go test` prints: name, number
// of runs, and pairs of a value and its unit.
func parseBenchmarks(out string) (figures, error) {
	all := figures{}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := round.ReplaceAllString(strings.TrimPrefix(fields[0], "Benchmark"), "")
		for pair := range slices.Chunk(fields[2:], 2) {
			value, err := strconv.ParseFloat(pair[0], 64)
			if err != nil || len(pair) < 2 {
				return nil, fmt.Errorf("go test printed something else: %s", line)
			}
			all[[2]string{name, pair[1]}] = append(all[[2]string{name, pair[1]}], value)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("go test printed no benchmark: %s", out)
	}
	return all, nil
}

// median is NaN, which is seen in the table, for what was not measured.
func (f figures) median(name, unit string) float64 { return median(f[[2]string{name, unit}]) }
