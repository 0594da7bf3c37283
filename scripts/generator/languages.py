"""What each language contributes to a made-up forum: common words, sounds, and set phrases.

The common words give the text the statistics of a real language (stop words, short words first); the rest
of a vocabulary is synthesised in `vocabulary`. All lists were written for this project.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    """Raw material of one language."""

    common: tuple[str, ...]
    """Real words, most frequent first."""
    syllables: tuple[tuple[str, ...], ...]
    """Onsets, nuclei and codas that synthesised words are made of."""
    attributions: tuple[str, ...]
    """How this language's forum software announces a quote; `{author}` stands for the name."""
    bare_header: str
    """The same when nobody is named."""
    stock: tuple[str, ...]
    """Set phrases that many people write: no quotes."""
    short: tuple[str, ...]
    """Whole posts of under five words."""
    boards: tuple[str, ...]
    spaced: bool = True
    word_chars: float = 5.5
    """Mean length of a word with its space, in code points."""
    stop: str = "."
    comma: str = ","
    ask: str = "?"
    shout: str = "!"


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.split()))


def _parts(*lines: str) -> tuple[tuple[str, ...], ...]:
    """Onsets, nuclei and codas; `-` stands for an empty one."""
    return tuple(tuple("" if part == "-" else part for part in line.split()) for line in lines)


ENGLISH = Language(
    common=_words("""
    the a to and I of it is in that you for on with my have was but be this are not as so if at or just
    can from it's they one do all what would like get there will about your out when up I'm an some no
    had me has don't more then very them any how good than too we only know been time did think were
    which well also by much use really he his she her because make want could who see need I've that's
    now even after same way still other these over work into first new where most should thing two
    little down before back right off find something few try last their sure going those put long never
    made here better got around might better bit maybe people every while take again old day look
    actually though another through probably doesn't can't won't didn't always enough both without
    being does anyone else lot things best keep seems big different used each water mine ours yours
    might three half whole under between since until far hard soft small large short heavy light
    quick slow warm cold dry wet clean flat round sharp full empty open close turn push pull cut
    fit fix hold run start stop leave move add check clear cover drop fill finish follow give help
    let line mark match mean measure mind mix month morning nothing number once order own pair part
    piece place plain point press price problem question quite reason rest result return rough
    second set shop show side simple single size sort sound spare stand stay step stick store story
    straight strong stuff surface table taste tell test thanks thick thin today together top touch
    towards tried trouble true type understand usual usually weather week weekend weight whether
    white wide wonder wood word worth wrong year yesterday yet café résumé naïve evening summer
    winter spring garden kitchen bench drawer shelf corner window neighbour street village river
    season engine handle button switch cable bolt spring lever wheel frame cloth paper glass stone
    metal steel brass paint glue tape string rope wire box bag bottle bowl plate spoon knife board
    """),
    syllables=_parts(
        "b br c ch cl d dr f fl g gr h j k l l m m n n p pl pr qu r r s s sh sl sp st t t th tr v w -",
        "a e i o u a e i o e ai ea oo ou",
        "- - - - - - - ck d l ll m n n nd ng nt r r rt s st t",
    ),
    attributions=(
        "{author} wrote:",
        "{author} said:",
        "Originally posted by {author}:",
        "Quote from: {author}",
        "On Sunday, {author} wrote:",
        "@{author} wrote:",
    ),
    bare_header="Quote:",
    stock=(
        "let me know how you get on with it and please do post some pictures when it is done",
        "as far as I can tell from here there is nothing obviously wrong with what you have done so far",
        "welcome to the forum and please have a read of the sticky at the top before you post",
        "your mileage may vary of course but that is what has always worked for me over the years",
    ),
    short=("+1", "Thanks!", "Thank you so much!", "Bump.", "Same here.", "Agreed.", "Following.", "lol"),
    boards=("Workshop", "Beginners", "Show and tell", "Tools and parts", "Off topic", "Classifieds"),
)

GERMAN = Language(
    common=_words("""
    die der und ich das ist in nicht zu es den mit auch auf ein aber so man wie für dass wenn eine von
    war dann noch hat nur habe im sich bei als was oder mal da sind kann schon an mir aus werden er sie
    wird doch einen mehr wir nach sehr immer hier um am über würde dem einfach haben ja gut etwas wieder
    jetzt keine zum beim wäre gibt müssen sollte vielleicht eigentlich natürlich genau schön größer
    kleiner früher später während heute gestern morgen Woche Jahr Zeit Wasser Farbe Stück Größe Fläche
    Werkzeug Schraube Rahmen Holz Blech Seite Kante Ecke Loch Maß Preis Laden Frage Antwort Problem
    ohne gegen unter zwischen bis seit damit deshalb trotzdem allerdings ziemlich ungefähr wahrscheinlich
    machen gemacht nehmen genommen finden gefunden sehen gesehen halten gehalten lassen weiß muss darf
    """),
    syllables=_parts(
        "b br d dr f g gl gr h k kl kn kr l m n p pf r s sch schl schr sp st t tr v w z zw -",
        "a e i o u ä ö ü au ei eu ie a e i",
        "- - ch ck ff g l ll lt m n nd ng nn r rn rt s ss st t tz",
    ),
    attributions=(
        "{author} schrieb:",
        "Zitat von {author}:",
        "{author} hat geschrieben:",
        "Am Sonntag schrieb {author}:",
    ),
    bare_header="Zitat:",
    stock=(
        "halte uns bitte auf dem Laufenden und stell gerne ein paar Bilder ein wenn alles fertig ist",
        "herzlich willkommen im Forum und viel Spaß beim Lesen und Schreiben mit uns allen hier",
        "das muss natürlich jeder für sich selbst entscheiden aber ich habe damit nur gute Erfahrungen",
    ),
    short=("+1", "Danke!", "Vielen Dank!", "Sehe ich auch so.", "Stimmt.", "Schieb."),
    boards=("Werkstatt", "Anfänger", "Galerie", "Teilemarkt"),
    word_chars=6.5,
)

RUSSIAN = Language(
    common=_words("""
    и в не на что я с как это а то но по у все так он же мне из за бы было вот только о для от меня
    если уже когда или нет есть до быть там ещё очень вы они мы можно чтобы где ты надо даже просто
    может тут него потом сейчас этого после была под без чем раз тоже себя через нужно который были
    потому теперь всегда лучше хорошо вода время день год сторона часть место вопрос ответ дело рука
    дерево железо краска клей верстак инструмент цена магазин сделать взять найти поставить посмотреть
    конечно наверное обычно немного почти совсем вместо около между перед снова вчера сегодня завтра
    """),
    syllables=_parts(
        "б в г д ж з к л м н п р с т ф х ц ч ш бр вр гр др кр пр ст тр сл вл -",
        "а е и о у ы я ю а е и о",
        "- - - в д к л м н р с т й ст нь ть ль",
    ),
    attributions=("{author} писал(а):", "Цитата: {author}", "Сообщение от {author}:", "{author} пишет:"),
    bare_header="Цитата:",
    stock=(
        "обязательно напишите что у вас получилось и выложите пару фотографий когда всё будет готово",
        "добро пожаловать на форум и сначала прочитайте пожалуйста правила раздела в первой теме",
        "каждый конечно решает сам но у меня за много лет с этим никогда не было никаких проблем",
    ),
    short=("+1", "Спасибо!", "Большое спасибо!", "Согласен.", "Ап.", "Тоже интересно."),
    boards=("Мастерская", "Новичкам", "Галерея", "Барахолка"),
    word_chars=6.0,
)

HEBREW = Language(
    common=_words("""
    של את לא על זה עם אני כל גם הוא אבל יש או כי אם מה רק יותר היא היה אז כמו לי עוד הם בין כבר זאת
    אין אחד כך לפני אחרי שלי שלך ממש פשוט אפשר צריך רוצה חושב יודע טוב מאוד קצת הרבה תמיד אולי בגלל
    מים זמן יום שנה צד חלק מקום שאלה תשובה יד עץ ברזל צבע דבק כלי מחיר חנות לעשות לקחת למצוא לראות
    היום אתמול מחר שוב ליד בלי תחת מעל לפעמים בדרך כלל כמעט לגמרי במקום ביחד
    """),
    syllables=_parts("א ב ג ד ה ו ז ח ט י כ ל מ נ ס ע פ צ ק ר ש ת", "- - - ו י א", "- - ה ת ם ן ר ל ב"),
    attributions=("{author} כתב:", "ציטוט של {author}:", "{author} כתבה:"),
    bare_header="ציטוט:",
    stock=(
        "תעדכנו אותנו בבקשה איך זה יצא בסוף ותעלו כמה תמונות כשהכול יהיה מוכן",
        "ברוכים הבאים לפורום וקודם כול קראו בבקשה את ההודעה הנעוצה בראש העמוד",
    ),
    short=("+1", "תודה!", "תודה רבה!", "מסכים לגמרי.", "מקפיץ."),
    boards=("סדנה", "מתחילים", "גלריה"),
    word_chars=5.0,
)

ARABIC = Language(
    common=_words("""
    في من على أن إلى هذا لا ما مع عن كان التي هو أو هذه كل بعد ذلك قد لم إذا بين أنا ليس حتى هي عند
    كما غير ثم أي لكن فقط جدا هنا هناك دائما ربما قبل بدون تحت فوق أيضا مثل يمكن يجب أريد أعرف جيد
    ماء وقت يوم سنة جانب جزء مكان سؤال جواب يد خشب حديد لون غراء أداة سعر متجر عمل أخذ وجد رأى اليوم
    أمس غدا مرة تقريبا تماما معا
    """),
    syllables=_parts("ا ب ت ث ج ح خ د ذ ر ز س ش ص ض ط ع غ ف ق ك ل م ن ه و ي", "- - ا و ي", "- - ة ت ن ر ل م"),
    attributions=("كتب {author}:", "اقتباس من {author}:", "كتبت {author}:"),
    bare_header="اقتباس:",
    stock=(
        "أخبرنا من فضلك كيف كانت النتيجة في النهاية وضع لنا بعض الصور عندما تنتهي من العمل",
        "أهلا وسهلا بك في المنتدى ونرجو قراءة الموضوع المثبت في أعلى الصفحة قبل الكتابة",
    ),
    short=("+1", "شكرا!", "شكرا جزيلا لك!", "أوافقك الرأي.", "للرفع."),
    boards=("الورشة", "المبتدئون", "المعرض"),
    word_chars=5.2,
    comma="،",
    ask="؟",
)

CHINESE = Language(
    common=_words("""
    的 我 了 是 不 在 一 有 你 这 个 就 也 人 都 说 要 还 会 可以 没有 那 到 用 好 多 很 去 看 上 大 来 下
    对 他 她 自己 什么 时候 怎么 如果 因为 所以 但是 而且 已经 知道 觉得 应该 现在 问题 时间 东西 地方 今天
    昨天 明天 水 火 木头 铁 刀 油 面 边 块 点 次 种 张 把 比较 一般 可能 差不多 非常 有点 最后 开始 以前 以后
    一起 大家 朋友 工具 价格 颜色 尺寸 左边 右边 中间 试试 放 拿 找 换 买 做 切 洗 装 拆 量 调
    """),
    syllables=(),
    attributions=("{author} 写道：", "引用 {author} 的话：", "{author} 发表于 昨天："),
    bare_header="引用：",
    stock=(
        "做好以后记得发几张照片上来给大家看看效果怎么样",
        "欢迎新朋友加入论坛发帖之前请先看一下置顶的帖子",
        "每个人的情况不一样不过我这么多年一直都是这样做的",
    ),
    short=("+1", "谢谢！", "顶", "同意", "学习了", "沙发"),
    boards=("工作间", "新手区", "作品展示"),
    spaced=False,
    word_chars=1.7,
    stop="。",
    comma="，",
    ask="？",
    shout="！",
)

JAPANESE = Language(
    common=_words("""
    の は が を に で と も た です ます ました から まで ない ので けど という こと もの よう する した して
    いる ある なる これ それ あれ この その ここ そこ どう 何 私 今 前 後 中 上 下 人 時 日 年 水 木 鉄 色
    値段 問題 時間 場所 道具 思う 思います ください できる 見る 使う 作る 買う 置く 切る 洗う 直す 少し とても
    たぶん やはり いつも もう まだ また 一番 全部 最初 最後 昨日 今日 明日 同じ 違う 大きい 小さい 良い
    """),
    syllables=(),
    attributions=("{author}さんは書きました：", "{author}さんの発言：", "{author} さんの投稿："),
    bare_header="引用：",
    stock=(
        "完成したらぜひ写真を何枚か載せてみんなに見せてくださいね",
        "はじめての方は投稿する前に一番上の固定スレッドを読んでください",
    ),
    short=("+1", "ありがとう！", "同感です。", "なるほど", "あげ"),
    boards=("工房", "初心者", "作品"),
    spaced=False,
    word_chars=2.2,
    stop="。",
    comma="、",
    ask="？",
    shout="！",
)

THAI = Language(
    common=_words("""
    ที่ และ เป็น ใน มี ไม่ ได้ จะ ให้ ของ การ ก็ ว่า แต่ มา ไป กับ นี้ ผม เรา คุณ เขา แล้ว หรือ ถ้า เพราะ
    อยู่ จาก ต้อง โดย อีก มาก น้อย ดี ทำ ใช้ ดู หา ซื้อ ตัด ล้าง วาง เอา น้ำ ไม้ เหล็ก สี กาว ราคา ร้าน เวลา
    วันนี้ เมื่อวาน พรุ่งนี้ ปี ข้าง ส่วน คำถาม คำตอบ มือ เครื่องมือ ปัญหา ตอนนี้ ก่อน หลัง ด้วย กัน เลย นะ ครับ
    ค่ะ อาจ คิด รู้ เห็น บ้าง เหมือน ใหม่ เก่า ใหญ่ เล็ก
    """),
    syllables=_parts(
        "ก ข ค ง จ ช ซ ด ต ถ ท น บ ป ผ พ ม ย ร ล ว ส ห อ",
        "า ี ู ะ ิ ุ ัน อง าย ่า ้า ่อ ้อ ือ",
        "- - ก ง ด น บ ม ย ว",
    ),
    attributions=("{author} เขียน:", "อ้างอิงจาก {author}:", "คุณ {author} เขียนว่า:"),
    bare_header="อ้างอิง:",
    stock=(
        "ถ้าทำเสร็จแล้วอย่าลืมเอารูปมาลงให้เพื่อนๆดูด้วยนะครับ",
        "ยินดีต้อนรับสมาชิกใหม่ก่อนตั้งกระทู้กรุณาอ่านกระทู้ปักหมุดด้านบนก่อน",
    ),
    short=("+1", "ขอบคุณครับ", "ขอบคุณมาก", "ดันครับ", "เห็นด้วย"),
    boards=("ห้องช่าง", "มือใหม่", "ผลงาน"),
    spaced=False,
    word_chars=4.5,
    stop=" ",
    comma=" ",
    ask=" ",
    shout=" ",
)

LANGUAGES: dict[str, Language] = {
    "en": ENGLISH,
    "de": GERMAN,
    "ru": RUSSIAN,
    "he": HEBREW,
    "ar": ARABIC,
    "zh": CHINESE,
    "ja": JAPANESE,
    "th": THAI,
}
