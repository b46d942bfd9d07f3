// UDP echo in Go, with the address type that spares an allocation a datagram.
package main

import (
	"fmt"
	"log"
	"net"
	"net/netip"
	"os"
)

const bufferSize = 64 << 10

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: udp_echo PORT")
	}
	address, err := netip.ParseAddrPort("127.0.0.1:" + os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	socket, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(address))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready", socket.LocalAddr().(*net.UDPAddr).Port)
	buffer := make([]byte, bufferSize)
	for {
		n, sender, err := socket.ReadFromUDPAddrPort(buffer)
		if err == nil {
			socket.WriteToUDPAddrPort(buffer[:n], sender)
		}
	}
}
