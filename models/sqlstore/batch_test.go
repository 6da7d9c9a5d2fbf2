package sqlstore

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// What comes in while a write runs is written together; a row that cannot be
// written spoils no other.
func TestBatch(t *testing.T) {
	bad := errors.New("bad row")
	started, release := make(chan struct{}), make(chan struct{})
	var writes [][]int
	var once sync.Once
	b := batch[int]{write: func(_ context.Context, rows []int) error {
		once.Do(func() {
			close(started)
			<-release
		})
		writes = append(writes, slices.Sorted(slices.Values(rows)))
		if slices.Contains(rows, 3) {
			return bad
		}
		return nil
	}}
	var group sync.WaitGroup
	add := func(row int, want error) {
		group.Go(func() {
			if err := b.add(t.Context(), row); !errors.Is(err, want) {
				t.Errorf("row %d: got %v, want %v", row, err, want)
			}
		})
	}
	add(1, nil)
	<-started
	for row := 2; row <= 4; row++ {
		add(row, map[int]error{3: bad}[row])
	}
	for {
		b.mu.Lock()
		waiting := len(b.waiting)
		b.mu.Unlock()
		if waiting == 3 {
			break
		}
		runtime.Gosched()
	}
	close(release)
	group.Wait()
	if len(writes) != 5 || !slices.Equal(writes[0], []int{1}) || !slices.Equal(writes[1], []int{2, 3, 4}) {
		t.Errorf("got writes %v, want 1, then 2 to 4 at once, then each of them", writes)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.add(ended, 5); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: got %v", err)
	}
}
