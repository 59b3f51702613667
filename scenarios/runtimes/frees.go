// Allocates, frees and allocates again as it is told on stdin: `fill MIB SIZE`, `free KEEP`, `gc`,
// `os` (debug.FreeOSMemory). Each is answered with `done`.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
)

var objects [][]byte

func main() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var word string
		var a, b int
		fmt.Sscan(in.Text(), &word, &a, &b)
		switch word {
		case "fill":
			objects = make([][]byte, 0, (a<<20)/b)
			for i := 0; i < cap(objects); i++ {
				object := make([]byte, b)
				for j := 0; j < b; j += 512 {
					object[j] = 1
				}
				objects = append(objects, object)
			}
		case "free":
			for i := range objects {
				if a == 0 || i%a != a-1 {
					objects[i] = nil
				}
			}
			if a == 0 {
				objects = nil
			}
		case "gc":
			runtime.GC()
		case "os":
			debug.FreeOSMemory()
		}
		fmt.Println("done")
	}
}
