package provisioner

import (
	"fmt"
	"path"
	"slices"
	"sync"
	"time"
	_ "time/tzdata" // the server may run where no zone files are
)

// A zoneRule is what phones are told about a time zone: its standard offset
// and, where clocks change twice a year, when they do.
type zoneRule struct {
	Name   string // IANA name
	Offset int    // seconds east of UTC in standard time
	DST    bool
	Start  changeRule // to daylight saving time
	Stop   changeRule // back to standard time
	Saving int        // minutes that DST adds
}

// inexpressibleZones are those of which a phone cannot be told all that holds
// for years, by name, with the reason.
var inexpressibleZones = []struct{ Name, Reason string }{
	{"Africa/Casablanca", moonChanges},
	{"Africa/El_Aaiun", moonChanges},
	{"Antarctica/Troll", "clocks change by two hours"},
	{"Asia/Gaza", moonChanges},
	{"Asia/Hebron", moonChanges},
	{"Australia/LHI", "clocks change by half an hour"},
	{"Australia/Lord_Howe", "clocks change by half an hour"},
}

const moonChanges = "changes follow the moon, another date each year"

// A changeRule is a change of clocks by month, week and weekday. The time is
// what the clock shows right before the change.
type changeRule struct {
	Month, Week, Weekday, Hour, Minute int // Week 1..4, 5 = last; Weekday 1 = Monday .. 7 = Sunday
}

// ruleYears is how far ahead changes are compared, to tell a fourth week from
// a last one: within so many years each date of the rule comes up.
const ruleYears = 12

// zones are those that were loaded before, by name.
var zones sync.Map

// loadZone is the zone of an IANA name; false for anything else, such as the
// server's own "Local".
func loadZone(name string) (*time.Location, bool) {
	if loc, known := zones.Load(name); known {
		return loc.(*time.Location), true
	}
	if name == "" || name == "Local" || path.Clean(name) != name {
		return nil, false
	}
	loc, err := time.LoadLocation(name)
	if err == nil {
		zones.Store(name, loc)
	}
	return loc, err == nil
}

// zoneRuleAt derives the rule that holds in the year of now. A zone that does
// not change its clocks exactly twice in that year counts as one without DST.
func zoneRuleAt(loc *time.Location, now time.Time) zoneRule {
	now = now.In(loc)
	_, offset := now.Zone()
	rule := zoneRule{Name: loc.String(), Offset: offset}
	up, down := changesOf(loc, now.Year())
	if up == nil || down == nil || up.after != down.before || up.before != down.after {
		return rule
	}
	rule.DST, rule.Offset, rule.Saving = true, up.before, (up.after-up.before)/60
	rule.Start = weekRule(loc, now.Year(), up, func(up, _ *change) *change { return up })
	rule.Stop = weekRule(loc, now.Year(), down, func(_, down *change) *change { return down })
	return rule
}

// A change is one change of a zone's offset.
type change struct {
	wall          time.Time // what the clock showed right before, as if it were UTC
	before, after int       // offsets in seconds
}

// changesOf are the one change forward and the one back in a year; nil when
// there is none or more than one.
func changesOf(loc *time.Location, year int) (up, down *change) {
	var ups, downs []*change
	end := time.Date(year+1, 1, 1, 0, 0, 0, 0, loc)
	for t := time.Date(year, 1, 1, 0, 0, 0, 0, loc); ; {
		_, next := t.ZoneBounds()
		if next.IsZero() || !next.Before(end) {
			break
		}
		if !next.After(t) { // seen with Go 1.26 on December 31 of leap years
			t = t.Add(24 * time.Hour)
			continue
		}
		if c := changeAt(next); c.after > c.before {
			ups = append(ups, c)
		} else if c.after < c.before {
			downs = append(downs, c)
		}
		t = next
	}
	if len(ups) != 1 || len(downs) != 1 {
		return nil, nil
	}
	return ups[0], downs[0]
}

func changeAt(t time.Time) *change {
	_, before := t.Add(-time.Second).Zone()
	_, after := t.Zone()
	return &change{wall: t.UTC().Add(time.Duration(before) * time.Second), before: before, after: after}
}

// weekRule finds the week number that fits this year's change and as many of
// the following years' as possible.
func weekRule(loc *time.Location, year int, first *change, pick func(up, down *change) *change) changeRule {
	rule := changeRule{
		Month:   int(first.wall.Month()),
		Weekday: (int(first.wall.Weekday())+6)%7 + 1,
		Hour:    first.wall.Hour(),
		Minute:  first.wall.Minute(),
	}
	weeks := weeksOf(first.wall)
	for y := year + 1; y < year+ruleYears; y++ {
		up, down := changesOf(loc, y)
		if up == nil {
			break
		}
		next := pick(up, down)
		if int(next.wall.Month()) != rule.Month || next.wall.Weekday() != first.wall.Weekday() {
			break
		}
		both := slices.DeleteFunc(slices.Clone(weeks), func(w int) bool { return !slices.Contains(weeksOf(next.wall), w) })
		if len(both) == 0 {
			break
		}
		weeks = both
	}
	rule.Week = slices.Max(weeks)
	return rule
}

// weeksOf are the week numbers a date can stand for: the fourth Sunday of a
// month may also be its last.
func weeksOf(date time.Time) []int {
	day := date.Day()
	weeks := []int{(day-1)/7 + 1}
	if date.AddDate(0, 0, 7).Month() != date.Month() && weeks[0] != 5 {
		weeks = append(weeks, 5)
	}
	return weeks
}

// offsetText writes an offset as hours: "-6", "+5:45", "0".
func offsetText(seconds int) string {
	sign, minutes := "+", seconds/60
	if minutes < 0 {
		sign, minutes = "-", -minutes
	}
	switch {
	case minutes == 0:
		return "0"
	case minutes%60 == 0:
		return fmt.Sprintf("%s%d", sign, minutes/60)
	}
	return fmt.Sprintf("%s%d:%02d", sign, minutes/60, minutes%60)
}
