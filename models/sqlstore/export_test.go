package sqlstore

import "time"

// SetClock makes a store of a test live at another time.
func (s *Store) SetClock(now func() time.Time) { s.now = now }
