"""Every server that is measured, by name, in the order of the report's rows."""

from benchmarks.peers import bare, latentd, litserve, mosec, tutorial

PEERS = {
    peer.name: peer for peer in (latentd.PEER, mosec.PEER, litserve.PEER, tutorial.PEER, bare.PEER)
}
