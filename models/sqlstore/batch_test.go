package sqlstore

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// What comes in while a run is under way is carried out together, in its order.
func TestBatch(t *testing.T) {
	down := errors.New("down")
	started, release := make(chan struct{}), make(chan struct{})
	var runs [][]int
	var once sync.Once
	b := newBatch(10, 0, func(_ context.Context, numbers []int) ([]int, error) {
		once.Do(func() {
			close(started)
			<-release
		})
		runs = append(runs, numbers)
		squares := make([]int, len(numbers))
		for i, n := range numbers {
			squares[i] = n * n
		}
		if numbers[0] == 5 {
			return nil, down
		}
		return squares, nil
	})
	var group sync.WaitGroup
	ask := func(n int) {
		group.Go(func() {
			if got, err := b.ask(t.Context(), n); got != n*n || err != nil {
				t.Errorf("%d: got %d, %v", n, got, err)
			}
		})
	}
	ask(1)
	<-started
	for n := 2; n <= 4; n++ {
		ask(n)
		for {
			b.mu.Lock()
			waiting := len(b.waiting)
			b.mu.Unlock()
			if waiting == n-1 {
				break
			}
			runtime.Gosched()
		}
	}
	close(release)
	group.Wait()
	if len(runs) != 2 || !slices.Equal(runs[0], []int{1}) || !slices.Equal(runs[1], []int{2, 3, 4}) {
		t.Errorf("got runs %v, want 1, then 2 to 4 at once", runs)
	}
	if _, err := b.ask(t.Context(), 5); !errors.Is(err, down) {
		t.Errorf("a run that fails: got %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.ask(ended, 6); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: got %v", err)
	}
	ask(7)
	group.Wait()
	if last := runs[len(runs)-1]; !slices.Equal(last, []int{7}) {
		t.Errorf("got %v, want nothing done for who has given up", last)
	}
}
