import spring

PAGE = "spring"


def check(site, guide, person):
    spring.check(site, guide, person, version=3)
