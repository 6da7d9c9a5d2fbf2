package main

import (
	"math"
	"testing"
)

func TestParseBenchmarks(t *testing.T) {
	got, err := parseBenchmarks(`goos: linux
BenchmarkRegister/dialtone-sqlite-2         	       1	2000000000 ns/op	       330.1 cpu-us/op	      2849 first/s
BenchmarkRegister/dialtone-sqlite#01-2      	       1	2000000000 ns/op	       330.1 cpu-us/op	      1000 first/s
BenchmarkRegister/dialtone-sqlite#02-2      	       1	2000000000 ns/op	       330.1 cpu-us/op	      3000 first/s
--- BENCH: BenchmarkRegister
    bench_test.go:71: first median
PASS
`)
	if err != nil {
		t.Fatal(err)
	}
	if rate := got.median("Register/dialtone-sqlite", "first/s"); rate != 2849 {
		t.Errorf("median: got %v, want 2849", rate)
	}
	if rate := got.median("Register/nobody", "first/s"); !math.IsNaN(rate) {
		t.Errorf("what was not measured: got %v", rate)
	}
	for _, bad := range []string{"PASS\n", "BenchmarkX-2 1 many ns/op\n", "BenchmarkX-2 1 5 ns/op 7\n"} {
		if got, err := parseBenchmarks(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
}
