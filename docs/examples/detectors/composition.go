// Fires when what the kernel can't take back is above 85 % of the limit and still rising, and says
// what else the memory is while it is quiet.
//
//	go build -o composition composition.go
//	memtide judge --detector ./composition
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
)

// sample has the keys it needs; pointers tell an absent key from a 0.
type sample struct {
	T         float64  `json:"t"`
	ID        string   `json:"id"`
	Container string   `json:"container"`
	Rss       *float64 `json:"container_memory_rss"`
	Cache     *float64 `json:"container_memory_cache"`
	Active    *float64 `json:"container_memory_total_active_file_bytes"`
	Inactive  *float64 `json:"container_memory_total_inactive_file_bytes"`
	Limit     float64  `json:"container_spec_memory_limit_bytes"`
}

type answer struct {
	Fire  bool    `json:"fire"`
	T     float64 `json:"t"`
	Class string  `json:"class,omitempty"`
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 64<<10), 1<<20)
	out := json.NewEncoder(os.Stdout)
	last := map[string]float64{}
	for in.Scan() {
		var s sample
		if err := json.Unmarshal(in.Bytes(), &s); err != nil {
			log.Fatalf("not a sample: %v", err)
		}
		if s.Container == "" || s.Limit == 0 || s.Rss == nil || s.Cache == nil || s.Active == nil || s.Inactive == nil {
			continue
		}
		// More pages on the file lists than there is cache were freed lazily; fewer are shmem.
		lists := *s.Active + *s.Inactive
		lazy := max(0, lists-*s.Cache)
		shmem := max(0, *s.Cache-lists)
		held := *s.Rss - lazy + shmem
		rising := held > last[s.ID]+0.001*s.Limit
		last[s.ID] = held
		a := answer{T: s.T}
		switch {
		case held > 0.85*s.Limit && rising:
			a.Fire, a.Class = true, "leak"
		case lazy > 0.1*s.Limit:
			a.Class = "lazy_free"
		case shmem > 0.1*s.Limit:
			a.Class = "tmpfs"
		case *s.Cache > 0.1*s.Limit:
			a.Class = "page_cache"
		default:
			continue
		}
		if err := out.Encode(a); err != nil {
			log.Fatal(err)
		}
	}
	if err := in.Err(); err != nil {
		log.Fatal(err)
	}
}

func max(a, b float64) float64 {
	if a > b {
		return a
	}
	return b
}
