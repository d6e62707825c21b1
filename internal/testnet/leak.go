package testnet

func (n *Net) searchLogs() {}
