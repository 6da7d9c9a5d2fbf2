package provisioner

import (
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
