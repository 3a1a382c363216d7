// Everything works without this script. It saves a keystroke: '/' goes to the search, and a picture that cannot be loaded gives its place to a
// letter.
document.addEventListener('keydown', function (e) {
  if (e.key === '/' && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) {
    e.preventDefault();
    document.getElementById('q').focus();
  }
});
document.querySelectorAll('.picture img').forEach(function (img) {
  function blank() {
    var span = document.createElement('span');
    span.className = 'blank';
    span.textContent = '·';
    img.replaceWith(span);
  }
  if (img.complete && img.naturalWidth === 0) { blank(); } else { img.addEventListener('error', blank); }
});
