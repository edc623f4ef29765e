"""What stands between the network and the pages: host names, the widget's addresses, its late start."""
