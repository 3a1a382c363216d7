package tensor

func detectLevel() level { return levelNEON }
