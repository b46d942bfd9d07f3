// TCP echo in Go: a goroutine and a 64 KiB buffer a connection. The net package sets TCP_NODELAY
// and raises nothing else; the harness sets GOMAXPROCS=1.
package main

import (
	"fmt"
	"log"
	"net"
	"os"
)

const bufferSize = 64 << 10

func serve(client net.Conn) {
	defer client.Close()
	buffer := make([]byte, bufferSize)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: echo PORT")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready", listener.Addr().(*net.TCPAddr).Port)
	for {
		if client, err := listener.Accept(); err == nil {
			go serve(client)
		}
	}
}
