package provisioner

import (
	"archive/zip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestZoneRule(t *testing.T) {
	const sunday = 7
	tests := []struct {
		zone string
		year int
		want zoneRule
	}{
		{"America/New_York", 2026, zoneRule{Offset: -5 * 3600, DST: true, Saving: 60,
			Start: changeRule{3, 2, sunday, 2, 0}, Stop: changeRule{11, 1, sunday, 2, 0}}},
		{"Europe/Berlin", 2026, zoneRule{Offset: 3600, DST: true, Saving: 60,
			Start: changeRule{3, 5, sunday, 2, 0}, Stop: changeRule{10, 5, sunday, 3, 0}}},
		// In 2027 the last Sundays are the 28th and the 31st: fourth or last?
		{"Europe/Berlin", 2027, zoneRule{Offset: 3600, DST: true, Saving: 60,
			Start: changeRule{3, 5, sunday, 2, 0}, Stop: changeRule{10, 5, sunday, 3, 0}}},
		{"Europe/Dublin", 2026, zoneRule{Offset: 0, DST: true, Saving: 60, // "negative" DST in winter
			Start: changeRule{3, 5, sunday, 1, 0}, Stop: changeRule{10, 5, sunday, 2, 0}}},
		{"Australia/Sydney", 2026, zoneRule{Offset: 10 * 3600, DST: true, Saving: 60,
			Start: changeRule{10, 1, sunday, 2, 0}, Stop: changeRule{4, 1, sunday, 3, 0}}},
		{"Australia/Lord_Howe", 2026, zoneRule{Offset: 10*3600 + 1800, DST: true, Saving: 30,
			Start: changeRule{10, 1, sunday, 2, 0}, Stop: changeRule{4, 1, sunday, 2, 0}}},
		{"America/Santiago", 2026, zoneRule{Offset: -4 * 3600, DST: true, Saving: 60, // Saturday 24:00
			Start: changeRule{9, 1, sunday, 0, 0}, Stop: changeRule{4, 1, sunday, 0, 0}}},
		{"Asia/Kolkata", 2026, zoneRule{Offset: 5*3600 + 1800}},
		{"Asia/Kathmandu", 2026, zoneRule{Offset: 5*3600 + 2700}},
		{"America/Sao_Paulo", 2026, zoneRule{Offset: -3 * 3600}},
		{"America/Sao_Paulo", 2019, zoneRule{Offset: -2 * 3600}}, // the last DST ended in February 2019
		{"Etc/UTC", 2026, zoneRule{}},
		{"America/Chicago", 2006, zoneRule{Offset: -6 * 3600, DST: true, Saving: 60, // the rule changed in 2007
			Start: changeRule{4, 1, sunday, 2, 0}, Stop: changeRule{10, 5, sunday, 2, 0}}},
	}
	for _, tt := range tests {
		t.Run(tt.zone, func(t *testing.T) {
			loc, ok := loadZone(tt.zone)
			if !ok {
				t.Fatalf("no zone %s", tt.zone)
			}
			tt.want.Name = tt.zone
			got := zoneRuleAt(loc, time.Date(tt.year, 1, 15, 12, 0, 0, 0, time.UTC))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// The rule of a year must give that year's changes back, for every zone whose
// changes follow weeks at all.
func TestZoneRuleRoundTrip(t *testing.T) {
	for _, zone := range []string{"America/New_York", "Europe/Berlin", "Australia/Sydney", "America/Havana", "Asia/Jerusalem",
		"Africa/Cairo", "America/Asuncion", "Pacific/Auckland", "Pacific/Chatham", "Africa/Casablanca", "America/Godthab", "Asia/Beirut"} {
		loc, ok := loadZone(zone)
		if !ok {
			t.Fatalf("no zone %s", zone)
		}
		for year := 2020; year < 2030; year++ {
			rule := zoneRuleAt(loc, time.Date(year, 6, 1, 0, 0, 0, 0, loc))
			up, down := changesOf(loc, year)
			if !rule.DST {
				continue
			}
			for name, pair := range map[string]struct {
				rule changeRule
				wall time.Time
			}{"start": {rule.Start, up.wall}, "stop": {rule.Stop, down.wall}} {
				if got := pair.rule.in(year); !got.Equal(pair.wall) {
					t.Errorf("%s %d: %s by rule %+v at %s, by zone at %s", zone, year, name, pair.rule, got, pair.wall)
				}
			}
		}
	}
}

// Every zone's rule gives the zone's own offsets back, at 24 instants of the
// year to come, whenever it is written; but for those that are said not to.
func TestEveryZone(t *testing.T) {
	listed := map[string]bool{}
	for _, z := range inexpressibleZones {
		listed[z.Name] = true
	}
	for _, name := range allZones(t) {
		loc, ok := loadZone(name)
		if !ok {
			continue
		}
		expressible := true
		for days := 0; days < 2*365; days += 15 {
			now := time.Date(2026, 1, 1+days, 0, 0, 0, 0, time.UTC)
			rule := zoneRuleAt(loc, now)
			expressible = expressible && (!rule.DST || rule.Saving == 60)
			for i := range 24 {
				at := now.AddDate(0, i/2, 14*(i%2)).Add(12 * time.Hour)
				_, want := at.In(loc).Zone()
				if got := rule.offsetAt(at); got != want {
					expressible = false
					if at.In(loc).Year() == now.In(loc).Year() {
						t.Errorf("%s, written on %s: at %s the offset is %d, want %d", name, now.Format(time.DateOnly), at, got, want)
					}
				}
			}
		}
		if expressible == listed[name] {
			t.Errorf("%s: expressible %v, listed as inexpressible %v", name, expressible, listed[name])
		}
	}
}

// The zones whose offset a brand's phones do not take are named where the
// brand is described.
func TestZonesBeyondBrands(t *testing.T) {
	for _, brand := range builtinCatalog(t).brands {
		raw, err := os.ReadFile("../docs/vendors/" + brand.Brand + ".md")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range allZones(t) {
			loc, ok := loadZone(name)
			if !ok {
				continue
			}
			offset := zoneRuleAt(loc, sampleNow).Offset
			if brand.Offsets.nearest(offset) != offset && !strings.Contains(string(raw), name) {
				t.Errorf("%s does not take the offset of %s, %d: its page in docs/vendors does not say so", brand.Brand, name, offset)
			}
		}
	}
}

// allZones are the names of the zones that come with Go.
func allZones(t *testing.T) []string {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = archive.Close() }()
	var names []string
	for _, file := range archive.File {
		if !strings.HasSuffix(file.Name, "/") {
			names = append(names, file.Name)
		}
	}
	if len(names) < 500 {
		t.Fatalf("%d zones, want all", len(names))
	}
	return names
}

// offsetAt is the offset that a phone with the rule shows.
func (r zoneRule) offsetAt(t time.Time) int {
	standard := time.Duration(r.Offset) * time.Second
	saving := time.Duration(r.Saving) * time.Minute
	if !r.DST {
		return r.Offset
	}
	year := t.Add(standard).UTC().Year()
	start, stop := r.Start.in(year).Add(-standard), r.Stop.in(year).Add(-standard-saving)
	saved := !t.Before(start) && t.Before(stop)
	if stop.Before(start) { // in the south, over the new year
		saved = !t.Before(start) || t.Before(stop)
	}
	if saved {
		standard += saving
	}
	return int(standard.Seconds())
}

// in is the date and time of a rule in a year, as a phone works it out.
func (r changeRule) in(year int) time.Time {
	first := time.Date(year, time.Month(r.Month), 1, r.Hour, r.Minute, 0, 0, time.UTC)
	weekday := (int(first.Weekday())+6)%7 + 1
	date := first.AddDate(0, 0, (r.Weekday-weekday+7)%7+7*(r.Week-1))
	for r.Week == 5 && date.Month() != first.Month() {
		date = date.AddDate(0, 0, -7)
	}
	return date
}

func TestLoadZoneRefuses(t *testing.T) {
	for _, name := range []string{"", "Local", "inherit", "../../etc/passwd", "Mars/Phobos"} {
		if _, ok := loadZone(name); ok {
			t.Errorf("zone %q was accepted", name)
		}
	}
}

func TestOffsetText(t *testing.T) {
	for seconds, want := range map[int]string{0: "0", 3600: "+1", -6 * 3600: "-6", 5*3600 + 2700: "+5:45", -3*3600 - 1800: "-3:30"} {
		if got := offsetText(seconds); got != want {
			t.Errorf("offset %d is %q, want %q", seconds, got, want)
		}
	}
}
