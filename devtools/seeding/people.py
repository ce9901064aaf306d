"""Draw made-up people and partners: names of many kinds, no real person. Pure."""

from dataclasses import dataclass
from random import Random

GIVEN = (
    "Adèle", "Ahmed", "Aiko", "Aisha", "Alexander", "Amélie", "Ana", "André", "Anneke", "Arjun",
    "Ayşe", "Beatriz", "Benjamin", "Björn", "Camille", "Carlos", "Cécile", "Chantal", "Chloé",
    "Daniel", "David", "Deepa", "Dmitri", "Élodie", "Emily", "Émile", "Emma", "Ethan", "Fatima",
    "Félix", "François", "Gabriel", "Geneviève", "George", "Grace", "Guillaume", "Hannah",
    "Hélène", "Henrik", "Ibrahim", "İpek", "Isabelle", "Jack", "James", "Jasmine", "Jérôme",
    "Jin", "João", "John", "José", "Julia", "Kateryna", "Kenji", "Kim", "Laura", "Léa", "Liam",
    "Linda", "Łukasz", "Lucas", "Maëlle", "Malik", "Maria", "Mary", "Mathis", "Mei", "Michael",
    "Mohammed", "Nadia", "Nathalie", "Noah", "Noémie", "Nour", "Olivia", "Omar", "Øystein",
    "Patricia", "Peter", "Priya", "Rachel", "Raphaël", "Renée", "Ricardo", "Robert", "Rosa",
    "Samuel", "Sarah", "Sébastien", "Sofía", "Søren", "Stéphane", "Susan", "Tariq", "Thérèse",
    "Thomas", "Uyên", "Valérie", "Victor", "Wei", "William", "Xavier", "Yasmin", "Yves", "Zoë",
    "Ольга", "Иван", "Νίκος", "Ελένη", "محمد", "宇航",
)  # fmt: skip
FAMILY = (
    "Abebe", "Ahmadi", "Anderson", "Åkesson", "Bélanger", "Bouchard", "Brown", "Campbell",
    "Chan", "Chen", "Côté", "Cruz", "Çelik", "da Silva", "Dubois", "Díaz", "Évrard", "Fernández",
    "Fischer", "Fortin", "Fraser", "Gagné", "Gagnon", "García", "Gauthier", "Gill", "Göransson",
    "Grewal", "Hansen", "Hébert", "Hernández", "Hughes", "Ivanova", "Jansen", "Johnson", "Jones",
    "Kaya", "Khan", "Kim", "Kowalski", "Lachance", "Lam", "Lavoie", "Le Blanc", "Leclerc", "Lee",
    "Lévesque", "Li", "Lopez", "MacDonald", "McKenzie", "Martínez", "Mensah", "Mercier",
    "Morin", "Muñoz", "Müller", "Murphy", "Nguyễn", "Nowak", "Núñez", "O'Brien", "Okafor",
    "Ouellet", "Papadopoulos", "Park", "Patel", "Pelletier", "Petrov", "Phạm", "Poirier",
    "Ramírez", "Reyes", "Robinson", "Rodríguez", "Roy", "Ryan", "Saïdi", "Sánchez", "Schäfer",
    "Sharma", "Šimić", "Simard", "Singh", "Smith", "St-Pierre", "Strauß", "Świątek", "Tanaka",
    "Thériault", "Tran", "Tremblay", "Turner", "van Dijk", "Vasquez", "Villeneuve", "Walker",
    "Wang", "White", "Wilson", "Wong", "Wright", "Y\u0131ld\u0131z", "Young", "Zhang", "Żak",
    "Иванова", "Παππάς", "حسن", "王",
)  # fmt: skip
STREETS = ("Maple", "Oak", "Pine", "Birch", "Cedar", "King", "Queen", "Bloor", "Sherbrooke", "Main")
KINDS = ("Street", "Avenue", "Road", "Lane", "Court", "Crescent")
CITIES = (
    ("Ottawa", "613"), ("Toronto", "416"), ("Montréal", "514"), ("Québec", "418"),
    ("Vancouver", "604"), ("Calgary", "403"), ("Edmonton", "780"), ("Winnipeg", "204"),
    ("Halifax", "902"), ("Trois-Rivières", "819"), ("St. John's", "709"), ("Whitehorse", "867"),
)  # fmt: skip
# Partners at the start of the list submit more applications than those at its end.
PARTNERS = (
    "Northern Auto Finance", "Banque du Fleuve", "Prairie Home Credit", "Côte-Nord Prêts",
    "Harbour Brokers", "Aurora Student Loans", "Érable Financement", "Great Lakes Lending",
    "Coastal Vehicle Leasing", "Métis Credit Partners", "Rocky Mountain Renovations",
    "Fundy Business Loans",
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    name: str
    address: str
    phone: str
    email: str
    sin_last4: str


def person(random: Random, number: int) -> Person:
    """Draw one person; ``number`` makes the e-mail address unique."""
    given, family = random.choice(GIVEN), random.choice(FAMILY)
    name = f"{given} {family}"
    if random.random() < 0.12:  # married names, and who has two of them
        name = f"{given} {family}-{random.choice(FAMILY)}"
    city, area = random.choice(CITIES)
    house = random.randint(1, 9999)
    return Person(
        name=name,
        address=f"{house} {random.choice(STREETS)} {random.choice(KINDS)}, {city}",
        phone=f"{area}-555-{random.randint(0, 9999):04}",
        email=f"applicant{number}@example.com",
        sin_last4=f"{random.randint(0, 9999):04}",
    )
