package phonehttp

import "time"

// SetPace makes handlers made from now on as patient as said, until restore.
func SetPace(stall time.Duration, rate int64) (restore func()) {
	old := ordinaryPace
	ordinaryPace = pace{stall, rate}
	return func() { ordinaryPace = old }
}
