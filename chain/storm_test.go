package chain

func stormChild() {}
