def demo(o):
    return 1
